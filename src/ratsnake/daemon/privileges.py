"""Giving up what set-up needed and packets do not: who may ask for it, and in what order.

First what undoing needs is left to a keeper (host/keeper.py), then this process becomes the user it
is to be and holds no capability.  All that before the packet loop's thread begins.
"""

import os

from ..host.accounts import Account
from ..host.child import ChildError
from ..host.keeper import Attendant, Undoing
from .control.control_path import Claim
from .errors import RunError


def are_to_go(user: Account | None) -> bool:
    """Whether there is another user to become, or this one has capabilities without being root."""
    return user is not None or os.geteuid() != 0


def leave(user: Account | None, claim: Claim, undoing: Undoing, attendant: Attendant) -> None:
    """Leave undoing to a keeper, with an attendant, and the control socket to `user`.

    Raises RunError.
    """
    try:
        undoing.leave_to_keeper(attendant)
        if user is not None and user.user != os.geteuid():
            claim.give_to(user.user)
    except ChildError as error:
        raise RunError(str(error)) from None
    except PermissionError:
        raise _not_permitted(user) from None


def give_up(user: Account | None) -> None:
    """Become `user` (None: stay who one is), without capabilities; raises RunError."""
    from ..host import privileges

    try:
        privileges.give_up(user)
    except PermissionError:
        raise _not_permitted(user) from None


def _not_permitted(user: Account | None) -> RunError:
    if user is None:
        return RunError("the capabilities cannot be given up: this process may not call capset")
    return RunError(f"--user {user.name}: only root can become another user")
