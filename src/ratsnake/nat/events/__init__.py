"""What happens to mappings and sessions, noted for who asked."""
