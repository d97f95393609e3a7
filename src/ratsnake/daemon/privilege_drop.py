"""Giving up what set-up needed and packets do not: who may ask for it, and in what order.

This process becomes the user it is to be and holds no capability; what setting up and undoing need
is a helper's then (host/processes/privileged_helper.py).  All that before the packet loop's thread
begins.
"""

import os

from ..host.processes.user_accounts import Account
from .control.socket_path import Claim
from .user_errors import RunError


def are_to_go(user: Account | None) -> bool:
    """Whether there is another user to become, or this one has capabilities without being root."""
    return user is not None or os.geteuid() != 0


def give_up(user: Account | None, claim: Claim) -> None:
    """Become `user` (None: stay who one is), without capabilities, with the control socket.

    Raises RunError.
    """
    from ..host.processes import process_privileges

    try:
        if user is not None and user.user != os.geteuid():
            claim.give_to(user.user)
        process_privileges.give_up(user)
    except PermissionError:
        raise _not_permitted(user) from None


def _not_permitted(user: Account | None) -> RunError:
    if user is None:
        return RunError("the capabilities cannot be given up: this process may not call capset")
    return RunError(f"--user {user.name}: only root can become another user")
