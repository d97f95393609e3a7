"""The tables of mappings, sessions and hosts: record layouts, keyed hashes, indexes."""
