"""The behaviours of all protocols as numbers, for the packet path."""

from collections.abc import Sequence

import cython

from ratsnake.wire.packet_fields import ICMP, OTHER, PROTOCOLS, UDP, UDPLITE

if not cython.compiled:
    from .row_layouts import Policies, new_policies, release

from ..rules.behaviour import Behaviour, Filtering, Mapping, Selection, Sharing
from ..rules.behaviour_codes import STATIC

# Mappings of static forwards differ by the forward, whose number stands for the remote's address:
# one external port may have a forward for each of several remotes.
FORWARDED = Behaviour(Mapping.ADM, Filtering.ADF, Sharing.OVERLOAD, Selection.PRESERVE)
# Protocols without connections, whose late packets could reach the next user of a port.  Others
# are tracked and need no rest (RFC 6888 REQ-8A).
UNTRACKED = (UDP, ICMP, UDPLITE)


class PolicyTable:
    rows: Policies

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        """`behaviours`: one for each protocol, in the order of `wire.packet_fields`."""
        self.rows = new_policies(STATIC + PROTOCOLS)
        for row, behaviour in enumerate((*behaviours, *[FORWARDED] * PROTOCOLS)):
            self.rows[row].mapping = behaviour.mapping
            self.rows[row].filtering = behaviour.filtering
            self.rows[row].sharing = behaviour.sharing
            self.rows[row].selection = behaviour.selection
            self.rows[row].sticky = behaviour.sticky
            self.rows[row].parity = behaviour.parity
            self.rows[row].share = behaviour.share
            self.rows[row].permits = (
                behaviour.mapping is Mapping.EIM and behaviour.filtering is Filtering.ADF
            )
            self.rows[row].remembers = (
                behaviour.sticky
                or behaviour.selection is Selection.SEQUENTIAL
                or behaviour.sharing is Sharing.DISTINCT
            )
            self.rows[row].keeps = (
                behaviour.mapping is not Mapping.EIM
                or behaviour.share > 0
                or self.rows[row].remembers
            )
            # RFC 6888 REQ-8C: under ADF and APDF the next user of a port is safe from strangers.
            self.rows[row].rests = behaviour.filtering is Filtering.EIF and row in UNTRACKED
            # The protocol number stands where others have a port, and cannot be changed: it is
            # what the mapping gets or nothing is.
            if row == OTHER:
                self.rows[row].fixed = 1
                self.rows[row].selection = Selection.PRESERVE
                self.rows[row].sticky = 0

    def __dealloc__(self) -> None:
        release(self.rows)
