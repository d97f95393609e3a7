"""The `ratsnake` command: parsing and printing only."""
