"""Sets of ports: what a NAT may use of its external addresses.

Ranges live here (port_set.py), and MAP-E (RFC 7597): which ports a PSID has (psid_format.py),
what a rule gives a line (map_rule.py, rule_text.py), and whose rules are known (providers.py,
rules_*.py).  Nothing else of ratsnake is imported.
"""

from .port_set import FIRST_PORT, LAST_PORT, PortSet
from .specification import read_ports

__all__ = ["FIRST_PORT", "LAST_PORT", "PortSet", "read_ports"]
