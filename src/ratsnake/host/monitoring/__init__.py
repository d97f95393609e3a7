"""What is wrong on this host while a NAT runs: made again where it is its own, else told."""
