"""The running NAT: its options, its life from start to clean stop, and its control socket."""
