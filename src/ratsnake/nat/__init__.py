"""The translator: no sockets, no clock, no entropy of its own.  Imports `wire` and `portset`."""
