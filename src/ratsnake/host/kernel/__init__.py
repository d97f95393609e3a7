"""What the kernel has: interfaces, addresses, routes, rules.  Only read."""
