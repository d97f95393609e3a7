"""The NAT's events as lines, on their way to files, syslog, journald and watchers."""
