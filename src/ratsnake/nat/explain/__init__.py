"""What would become of a packet, and why, for who only looks."""
