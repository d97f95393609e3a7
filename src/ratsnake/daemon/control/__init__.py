"""The control socket: who may ask, in which words, and who answers."""
