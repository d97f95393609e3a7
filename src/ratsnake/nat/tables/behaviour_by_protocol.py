"""The behaviours of all protocols, for each class of hosts, as numbers for the packet path."""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.packet_fields import PROTOCOLS

    from ..rules.behaviour_codes import POLICIES_OF_CLASS, SHARES, STATIC
    from .row_layouts import NONE32, Numbers, Policies, new_numbers, new_policies, release

from ratsnake.wire.packet_fields import ICMP, OTHER, UDP, UDPLITE

from ..rules.behaviour import Behaviour, Filtering, Mapping, Selection, Sharing

# Mappings of static forwards differ by the forward, whose number stands for the remote's address:
# one external port may have a forward for each of several remotes.
FORWARDED = Behaviour(Mapping.ADM, Filtering.ADF, Sharing.OVERLOAD, Selection.PRESERVE)
# Protocols without connections, whose late packets could reach the next user of a port.  Others
# are tracked and need no rest (RFC 6888 REQ-8A).
UNTRACKED = (UDP, ICMP, UDPLITE)


class PolicyTable:
    """`groups` has the group of each protocol and `share`, NONE32 where no policy has that: to
    whom an inbound packet goes is looked up in each (`MappingTable.find_inbound`)."""

    rows: Policies
    groups: Numbers

    def __init__(self, classes: Sequence[Sequence[Behaviour]]) -> None:
        """`classes`: at most MOST_CLASSES, of each the behaviour of every protocol in the order of
        `wire.packet_fields`.  The first is that of hosts of no other."""
        self.rows = new_policies(STATIC + PROTOCOLS)
        self.groups = new_numbers(PROTOCOLS * SHARES)
        for place in range(PROTOCOLS * SHARES):
            self.groups[place] = NONE32
        for number, behaviours in enumerate(classes):
            for protocol, behaviour in enumerate(behaviours):
                row = number * POLICIES_OF_CLASS + protocol
                self.fill(row, protocol, behaviour)
                place = protocol * SHARES + behaviour.share
                if self.groups[place] == NONE32:
                    self.groups[place] = row
                self.rows[row].group = self.groups[place]
                # All mappings of a protocol choose among ports in one order, which parity divides.
                self.rows[row].parity = any(one[protocol].parity for one in classes)
                self.rows[row].wakes = any(_rests(protocol, one[protocol]) for one in classes)
        for protocol in range(PROTOCOLS):
            self.fill(STATIC + protocol, protocol, FORWARDED)
            self.rows[STATIC + protocol].group = STATIC + protocol

    def __dealloc__(self) -> None:
        release(self.rows)
        release(self.groups)

    def fill(self, row: int, protocol: int, behaviour: Behaviour) -> None:
        """Fill in what follows from one behaviour alone."""
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
            behaviour.mapping is not Mapping.EIM or behaviour.share > 0 or self.rows[row].remembers
        )
        self.rows[row].rests = _rests(protocol, behaviour)
        # The protocol number stands where others have a port, and cannot be changed: it is what
        # the mapping gets or nothing is.
        if protocol == OTHER and row < STATIC:
            self.rows[row].fixed = 1
            self.rows[row].selection = Selection.PRESERVE
            self.rows[row].sticky = 0


def _rests(protocol: int, behaviour: Behaviour) -> bool:
    """RFC 6888 REQ-8C: under ADF and APDF the next user of a port is safe from strangers."""
    return behaviour.filtering is Filtering.EIF and protocol in UNTRACKED
