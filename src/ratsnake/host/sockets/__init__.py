"""The ports that programs of this host have, and those it publishes for containers."""
