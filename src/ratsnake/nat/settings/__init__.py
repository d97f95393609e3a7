"""What a NAT is told: settings, their checks, and the forms in which packets look them up."""
