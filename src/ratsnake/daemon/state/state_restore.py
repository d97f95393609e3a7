"""The flows of the file, at the start: those that may go on do."""

import logging
import os
from pathlib import Path

from ..loop.live_nat import LiveNat
from .state_file import Moment, StateError, read

ROOT = 0

log = logging.getLogger(__name__)


def bring_back(nat: LiveNat, path: Path, now: int) -> None:
    """Let the NAT go on with the flows in the file, which root or this user has written.

    `now` in milliseconds, as the NAT is told it.  A file that cannot be used is warned of.  To be
    called without privileges: who got hold of a NAT's process could write anything into its file.
    """
    try:
        state = read(path, {ROOT, os.geteuid()})
    except StateError as error:
        log.warning("state: %s; the NAT starts without flows", error)
        return
    if state is None:
        log.info("state: there is no %s yet; the NAT starts without flows", path)
        return
    age = Moment.now().since(state.written)
    try:
        kept = nat.restore(state.flows, now, age)
    except MemoryError:
        log.warning(
            "state: %s: there is no memory to restore its %d flows; the NAT starts without flows",
            path,
            state.count,
        )
        return
    log.info(
        "state: %s, written %.0f s ago: %d of %d flows go on", path, age / 1000, kept, state.count
    )
