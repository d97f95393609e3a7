"""The packet loop: batches, its thread, and how other threads come to its tables."""
