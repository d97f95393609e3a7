"""Tables of nftables that a run has: the guard at the WAN, and which packets are for sockets."""
