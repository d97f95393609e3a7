"""The behaviours of all protocols as numbers, for the packet path."""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from .records import Policies, new_policies, release

from .behaviour import Behaviour


class PolicyTable:
    rows: Policies

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        """A row for each protocol, in the order of the protocol numbers in `wire.packet`."""
        self.rows = new_policies(len(behaviours))
        for row, behaviour in enumerate(behaviours):
            self.rows[row].mapping = behaviour.mapping
            self.rows[row].filtering = behaviour.filtering
            self.rows[row].sharing = behaviour.sharing
            self.rows[row].selection = behaviour.selection
            self.rows[row].sticky = behaviour.sticky
            self.rows[row].share = behaviour.share

    def __dealloc__(self) -> None:
        release(self.rows)
