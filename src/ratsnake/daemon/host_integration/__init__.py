"""The host's side of a run: what it makes of the options, and how it changes with them."""
