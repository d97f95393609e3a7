"""Memory of a NAT that another one has followed goes back to the system at once; memory.pxd is C's.

glibc raises the size from which an allocation has pages of its own, once one of that size has been
given back.  The tables of the next NATs would lie in the heap then, where whatever comes to lie
behind them keeps their pages.
"""

__all__ = ["keep_large_apart"]


def keep_large_apart() -> None:
    """From now on, in the whole process; where there is no glibc, and interpreted, nothing."""
