"""Users and groups of this host, by name."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A user's number, and that of the group to be in beside the user's others."""

    name: str
    user: int
    group: int


def account(text: str) -> Account:
    """The account of "USER" or "USER:GROUP"; raises ValueError saying what would be right."""
    name, colon, group = text.partition(":")
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ValueError(f"there is no user {name!r} here (useradd --system {name})") from None
    if found.pw_uid == 0:
        raise ValueError("must be a user without privileges, not root")
    return Account(name, found.pw_uid, group_number(group) if colon else found.pw_gid)


def group_number(name: str) -> int:
    """The number of a group; raises ValueError where there is none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValueError(f"there is no group {name!r} here (groupadd --system {name})") from None


def process_account() -> tuple[str, str]:
    """The names of the user and the group this process is; their numbers where they have none."""
    user, group = os.geteuid(), os.getegid()
    try:
        names = pwd.getpwuid(user).pw_name, grp.getgrgid(group).gr_name
    except KeyError:
        return str(user), str(group)
    return names
