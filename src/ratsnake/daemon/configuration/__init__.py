"""From flags and a TOML file to checked values, and back to text."""
