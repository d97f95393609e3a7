"""Other settings for a NAT that runs: what is in force, reload, live forwards."""
