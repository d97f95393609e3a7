"""Users, privileges, and processes that act for a NAT: for a moment, or to undo at its end."""
