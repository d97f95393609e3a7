"""Which external address and port a new mapping gets, and what is in use."""
