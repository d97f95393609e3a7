"""Who gets a place among the clients of the control socket, and who makes room for another.

Root and the owner of the NAT have places of their own: whoever else may ask, and however many of
them do, the NAT can be looked at and stopped.  Of the others each user has a share.
"""

from collections.abc import Collection
from dataclasses import dataclass

from .control_protocol import CLIENTS, CLIENTS_OF_USER, IDLE_SECONDS, WATCHERS


@dataclass(eq=False)
class Place:
    """`owns`: it is root's or the owner's.  `since` when in seconds; `idle`: no request has come
    yet."""

    user: int
    owns: bool
    since: float
    idle: bool = True


def room_for(newcomer: Place, taken: Collection[Place]) -> tuple[Place | None, str]:
    """Which of the places taken is to be given up for it, if one is; and why it can have none, ""
    if it can."""
    rivals = [one for one in taken if one.owns == newcomer.owns]
    own = [one for one in rivals if one.user == newcomer.user]
    if not newcomer.owns and len(own) >= CLIENTS_OF_USER:
        rivals, why = own, f"{CLIENTS_OF_USER} clients of yours are being served already"
    elif len(rivals) >= CLIENTS:
        why = f"{CLIENTS} clients are being served already"
    else:
        return None, ""
    idle = [one for one in rivals if one.idle and newcomer.since - one.since >= IDLE_SECONDS]
    if idle:
        return min(idle, key=lambda one: one.since), ""
    return None, f"{why}; try again"


def may_stream(asker: Place, streaming: Collection[Place]) -> bool:
    """Whether it may have an answer without an end beside those that have one."""
    return asker.owns or sum(not one.owns for one in streaming) < WATCHERS - 1
