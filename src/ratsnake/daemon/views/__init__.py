"""What the control socket shows: rows by pages, status, rates, hosts, explanations."""
