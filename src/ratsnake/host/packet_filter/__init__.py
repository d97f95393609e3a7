"""What firewalls on this host do to the NAT's packets.  Looked at, never changed."""
