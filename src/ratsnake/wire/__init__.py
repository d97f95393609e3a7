"""What packets look like: headers, checked-once parsing, checksums.  Imports no room."""
