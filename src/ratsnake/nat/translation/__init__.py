"""A packet's way through the NAT: direction, admission, flows, ICMP errors."""
