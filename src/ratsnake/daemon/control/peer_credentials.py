"""Who is at the other end of the control socket, and whether that one may ask, or change anything.

The socket's mode lets the same in and keeps the others out.  This is asked beside it, for a folder
or a file may have been opened wider than it should.
"""

import os
import socket
import struct
from dataclasses import dataclass

_CREDENTIALS = "3i"  # struct ucred: process, user, group
_SO_PEERGROUPS = 59  # asm-generic/socket.h; the `socket` module has no name for it
_MOST_BYTES = 1024  # what `getsockopt` takes: 256 groups
_GROUP_MAY_WRITE, _OTHERS_MAY_WRITE = 0o020, 0o002


@dataclass(frozen=True)
class Access:
    """How the control socket is guarded: its mode, and the group it belongs to (None: the owner's).

    Whoever may write to the socket may ask.  Where that is everybody, root, the owner and the group
    are still the only ones to change anything.
    """

    mode: int = 0o600
    group: int | None = None


@dataclass(frozen=True)
class Allowed:
    """Users and groups that may ask, by number."""

    users: frozenset[int]
    groups: frozenset[int] = frozenset()
    everybody: bool = False

    def admits(self, connection: socket.socket) -> bool:
        """Whether the peer of a connected Unix socket is one of them."""
        return self.everybody or self.may_change(connection)

    def may_change(self, connection: socket.socket) -> bool:
        """Whether it is one of those that are named."""
        return self.owns(user_of(connection)) or self._is_member(connection)

    def owns(self, user: int) -> bool:
        """Whether the user of that number is one of those that are named as such."""
        return user in self.users

    def _is_member(self, connection: socket.socket) -> bool:
        groups = {_credentials(connection)[2], *_other_groups(connection)} if self.groups else ()
        return not self.groups.isdisjoint(groups)

    def __str__(self) -> str:
        if self.groups:
            return "root, the owner of the NAT and the members of its control group"
        return "root and the owner of the NAT"


def allowed_by(access: Access) -> Allowed:
    """Whom `access` lets in: root and this process's user always."""
    group = os.getegid() if access.group is None else access.group
    return Allowed(
        users=frozenset((0, os.geteuid())),
        groups=frozenset((group,) if access.mode & _GROUP_MAY_WRITE else ()),
        everybody=bool(access.mode & _OTHERS_MAY_WRITE),
    )


def user_of(connection: socket.socket) -> int:
    """The number of the peer's user."""
    return _credentials(connection)[1]


def _credentials(connection: socket.socket) -> tuple[int, int, int]:
    size = struct.calcsize(_CREDENTIALS)
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    process, user, group = struct.unpack(_CREDENTIALS, peer)
    return process, user, group


def _other_groups(connection: socket.socket) -> tuple[int, ...]:
    """The peer's supplementary groups; none where they are too many, or an old kernel's secret."""
    try:
        groups = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES)
    except OSError:
        return ()
    return struct.unpack(f"{len(groups) // 4}I", groups)
