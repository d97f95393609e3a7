"""ratsnake: a userspace NAT whose RFC 4787 behaviour you choose.

Every room below is a sub-package; docs/architecture.md says what each may hold and import.
"""

__version__ = "0.1.0"
