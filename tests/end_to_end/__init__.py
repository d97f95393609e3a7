"""End-to-end tests: the real `ratsnake run` between the kernel's own hosts, in namespaces."""
