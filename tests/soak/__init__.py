"""A long run under floods, reloads and everything else that happens to a router: `make soak`."""
