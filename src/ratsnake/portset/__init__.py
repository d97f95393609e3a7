"""Sets of ports: what a NAT may use of its external addresses.

Port ranges live here (port_set.py); RFC 7597 arithmetic belongs here too.  Nothing else of
ratsnake is imported.
"""

from .port_set import FIRST_PORT, LAST_PORT, PortSet

__all__ = ["FIRST_PORT", "LAST_PORT", "PortSet"]
