"""What a run asks of this host, and each change for it: rules, routes, addresses, sysctls."""
