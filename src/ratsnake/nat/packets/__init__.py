"""What is done to one packet: rewriting, fragments, copies that wait."""
