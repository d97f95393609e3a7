"""Measurements: of the engine alone, and of a running NAT beside other ways of forwarding.

What measures stands here, with the packets and the load it needs; what is printed of it in `cli`.
"""
