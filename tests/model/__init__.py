"""A naive model of the NAT, and the engine held against it."""
