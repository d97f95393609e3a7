"""How one NAT goes on for another, and which flows may: with other settings, or after a restart."""
