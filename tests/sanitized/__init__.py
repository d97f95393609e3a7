"""What only a build with AddressSanitizer can show: `make sanitize` runs it, not `make test`."""
