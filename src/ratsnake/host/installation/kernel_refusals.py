"""Why the kernel refuses a change, in words: what is in the way, and what to do."""

from __future__ import annotations

import errno
import os

from ..routing.routing_changes import Address, Route, Rule, WaylessRoute

_PRIVILEGE = "is not permitted; run as root, or with CAP_NET_ADMIN"
_MEMORY = "the kernel has no memory for it"
_UNKNOWN = "this kernel cannot do that; it may lack policy routing or IPv6"
_REASONS = {
    errno.EPERM: _PRIVILEGE,
    errno.EACCES: _PRIVILEGE,
    errno.EROFS: "/proc/sys is read-only here; in a container, allow it to be written",
    errno.ENOMEM: _MEMORY,
    errno.ENOBUFS: _MEMORY,
    errno.EOPNOTSUPP: _UNKNOWN,
    errno.EAFNOSUPPORT: _UNKNOWN,
    errno.ENODEV: "the interface has gone meanwhile; try again",
    errno.ENETDOWN: "the interface is down; bring it up (ip link set NAME up)",
    errno.ENETUNREACH: "the interface is down, or has no address of that family",
    errno.EBUSY: "another program is about to change it; try again",
    errno.EEXIST: "there is one already, of another program",
    errno.ENOENT: "this kernel has no such setting",
}


def in_words(change: object, error: Exception) -> str:
    """What is in the way of a change or a removal; the errno's own words in the end."""
    number = getattr(error, "code", None) or getattr(error, "errno", None)
    if number == errno.EEXIST and isinstance(change, Route | WaylessRoute):
        return (
            f"another route to {change.destination} is there already; see whose it is (ip route"
            f" show table {change.table} {change.destination}) and remove it, or give this run"
            " another address"
        )
    if number == errno.EEXIST and isinstance(change, Rule):
        return (
            f"such a rule is there already; see whose it is (ip rule show pref {change.priority})"
        )
    if number == errno.EEXIST and isinstance(change, Address):
        return f"{change.device} has the address already; remove it (ip address del)"
    if number in _REASONS:
        return _REASONS[number]
    if not number:
        return str(error)
    name = errno.errorcode.get(number, f"error {number}")
    return f"the kernel refuses it: {os.strerror(number)} ({name})"
