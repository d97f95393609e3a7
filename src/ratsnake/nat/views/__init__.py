"""How tables and counters are shown without keeping packets waiting."""
