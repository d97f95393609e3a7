"""What happens in the NAT, noted for who asked: a bounded ring of records, read in batches.

Nothing is noted, and no memory touched, unless `listen` was told what is wanted.  What does not fit
into the ring is lost and counted.  Refusals are what strangers can cause at any rate: of each
reason a few are told, the others counted.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.header_faults import FAULTS
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import LATER, Packet

    from ..rules.behaviour_codes import ADM, APDM, STATIC
    from ..rules.drop_reasons import REASONS_COUNT
    from ..tables.row_layouts import (
        NONE32,
        Mappings,
        Octets,
        Sessions,
        Words,
        new_octets,
        new_words,
        release,
        reserved_words,
        unreserve,
    )
    from ..tables.session_table import OPENED_OUTSIDE
    from .event_record import (
        HAS_DURATION,
        HAS_REMOTE,
        HAS_REMOTE_PORT,
        IS_STATIC,
        LIMIT,
        LIMITS_WANTED,
        MAPPING_MADE,
        MAPPING_REMOVED,
        MAPPINGS_WANTED,
        NO_PROTOCOL,
        OPENED_BY_OUTSIDE,
        OUTBOUND,
        REFUSAL,
        REFUSALS_SUPPRESSED,
        REFUSALS_WANTED,
        SESSION_ENDED,
        SESSION_OPENED,
        SESSIONS_WANTED,
        EventRows,
        Sums,
        new_sums,
    )

    # Of each reason REFUSAL_BURST refusals are told at once, then one every so many milliseconds.
    REFUSAL_INTERVAL = 500
    REFUSAL_BURST = 20
    SUMMARY_INTERVAL = 5000  # ms between two counts of those that were not told
    EPISODE = 60000  # ms without a refusal after which a limit counts as reached anew

from ..rules.drop_reasons import LIMIT_REASONS
from ..settings.address_realm import AddressRealm
from ..tables.mapping_table import MappingTable
from ..tables.session_table import SessionTable
from .event_ring import EventRing


class Events:
    """`wanted`: what is asked for now, bits of event_record.py.  `counts`: whether sessions are
    added up for their mappings, which does not end once it began, so that sums have no holes."""

    sums: Sums
    opened: Words
    paid_until: Words
    suppressed: Words
    reached_at: Words
    limits: Octets

    def __init__(self, realm: AddressRealm, mappings: MappingTable, sessions: SessionTable) -> None:
        self.realm = realm
        self.mappings = mappings
        self.sessions = sessions
        self.ring = EventRing()
        self.sums = new_sums(mappings.capacity + 1)
        self.opened = reserved_words(sessions.fresh + sessions.capacity)
        self.paid_until = new_words(REASONS_COUNT)
        self.suppressed = new_words(REASONS_COUNT)
        self.reached_at = new_words(REASONS_COUNT)
        self.limits = new_octets(REASONS_COUNT)
        for reason in LIMIT_REASONS:
            self.limits[reason] = 1
        self.wanted = 0
        self.counts = self.dates = self.silenced = False
        self.summary_due = 0

    def __dealloc__(self) -> None:
        unreserve(self.sums)
        unreserve(self.opened)
        release(self.paid_until)
        release(self.suppressed)
        release(self.reached_at)
        release(self.limits)

    def listen(self, wanted: u32) -> None:
        """Note from now on what `wanted` says; 0 is nothing."""
        self.wanted = wanted
        if wanted:
            self.counts = True
        if wanted & SESSIONS_WANTED:
            self.dates = True

    def describe(self, at: u32, m: u32) -> None:
        """Enter the endpoints of a mapping."""
        rows: EventRows = self.ring.rows
        r: Mappings = self.mappings.rows
        rows[at].protocol = r[m].protocol
        rows[at].internal_high = self.mappings.internal_high(m)
        rows[at].internal_low = r[m].internal_low
        rows[at].internal_port = r[m].internal_port
        rows[at].external_high = self.realm.external_high[r[m].external]
        rows[at].external_low = self.realm.external_low[r[m].external]
        rows[at].external_port = r[m].external_port
        if r[m].policy >= STATIC:
            rows[at].flags |= IS_STATIC
            return
        depends: u32 = self.mappings.policies.rows[r[m].policy].mapping
        if depends >= ADM:
            rows[at].flags |= HAS_REMOTE
            rows[at].remote_high = self.mappings.partners[m].remote_high
            rows[at].remote_low = self.mappings.partners[m].remote_low
        if depends == APDM:
            rows[at].flags |= HAS_REMOTE_PORT
            rows[at].remote_port = self.mappings.partners[m].remote_port

    def describe_remote(self, at: u32, i: u32) -> None:
        """Enter the remote endpoint of a session, and who opened it."""
        rows: EventRows = self.ring.rows
        s: Sessions = self.sessions.rows
        rows[at].flags |= HAS_REMOTE | HAS_REMOTE_PORT
        rows[at].remote_high = self.sessions.remote_high(i)
        rows[at].remote_low = s[i].remote_low
        rows[at].remote_port = s[i].remote_port
        if s[i].flags & OPENED_OUTSIDE:
            rows[at].flags |= OPENED_BY_OUTSIDE

    def mapping_made(self, m: u32, now: u64) -> None:
        if not self.wanted & MAPPINGS_WANTED:
            return
        at: u32 = self.ring.new_row(MAPPING_MADE, now)
        if at != NONE32:
            self.describe(at, m)

    def mapping_removed(self, m: u32, ended: u64) -> None:
        """To be called before its row is given back, and after its sessions have ended."""
        rows: EventRows = self.ring.rows
        if self.wanted & MAPPINGS_WANTED:
            at: u32 = self.ring.new_row(MAPPING_REMOVED, ended)
            if at != NONE32:
                self.describe(at, m)
                rows[at].flags |= HAS_DURATION
                rows[at].duration = ended - self.mappings.rows[m].created
                rows[at].packets_out = self.sums[m].packets_out
                rows[at].bytes_out = self.sums[m].bytes_out
                rows[at].packets_in = self.sums[m].packets_in
                rows[at].bytes_in = self.sums[m].bytes_in
        self.sums[m].packets_out = 0
        self.sums[m].bytes_out = 0
        self.sums[m].packets_in = 0
        self.sums[m].bytes_in = 0

    def session_opened(self, i: u32, now: u64) -> None:
        if self.dates:
            # Off by one, for 0 is one opened before anybody asked.
            self.opened[i] = now + 1
        if not self.wanted & SESSIONS_WANTED:
            return
        at: u32 = self.ring.new_row(SESSION_OPENED, now)
        if at != NONE32:
            self.describe(at, self.sessions.rows[i].mapping)
            self.describe_remote(at, i)

    def session_ended(self, i: u32, ended: u64) -> None:
        """To be called before anything of it is given back."""
        rows: EventRows = self.ring.rows
        s: Sessions = self.sessions.rows
        m: u32 = s[i].mapping
        self.sums[m].packets_out += s[i].packets_out
        self.sums[m].bytes_out += s[i].bytes_out
        self.sums[m].packets_in += s[i].packets_in
        self.sums[m].bytes_in += s[i].bytes_in
        if not self.wanted & SESSIONS_WANTED:
            return
        at: u32 = self.ring.new_row(SESSION_ENDED, ended)
        if at == NONE32:
            return
        self.describe(at, m)
        self.describe_remote(at, i)
        if self.opened[i]:
            rows[at].flags |= HAS_DURATION
            rows[at].duration = ended + 1 - self.opened[i]
        rows[at].packets_out = s[i].packets_out
        rows[at].bytes_out = s[i].bytes_out
        rows[at].packets_in = s[i].packets_in
        rows[at].bytes_in = s[i].bytes_in

    def refused(self, p: Packet, reason: u32, is_sound: bool, outbound: bool, now: u64) -> None:
        """A packet was dropped; `is_sound`: at least its addresses are to be relied on."""
        if self.wanted & LIMITS_WANTED and self.limits[reason]:
            self.limit_reached(p, reason, is_sound, outbound, now)
        if not self.wanted & REFUSALS_WANTED:
            return
        # Each refusal that is told costs REFUSAL_INTERVAL, of which a burst may be owed.
        paid: u64 = self.paid_until[reason]
        if paid < now:
            paid = now
        if paid - now >= REFUSAL_INTERVAL * REFUSAL_BURST:
            self.suppressed[reason] += 1
            if not self.silenced:
                self.silenced = True
                self.summary_due = now + SUMMARY_INTERVAL
            return
        self.paid_until[reason] = paid + REFUSAL_INTERVAL
        at: u32 = self.ring.new_row(REFUSAL, now)
        if at != NONE32:
            self.describe_packet(at, p, reason, is_sound, outbound)

    def limit_reached(
        self, p: Packet, reason: u32, is_sound: bool, outbound: bool, now: u64
    ) -> None:
        """A flow found no room; told when the last one that did not is long ago."""
        # Off by one, for 0 is never.
        last: u64 = self.reached_at[reason]
        self.reached_at[reason] = now + 1
        if last and now + 1 - last < EPISODE:
            return
        at: u32 = self.ring.new_row(LIMIT, now)
        if at != NONE32:
            self.describe_packet(at, p, reason, is_sound, outbound)

    def describe_packet(
        self, at: u32, p: Packet, reason: u32, is_sound: bool, outbound: bool
    ) -> None:
        """Enter the 5-tuple of a packet that was dropped, as far as it is known."""
        rows: EventRows = self.ring.rows
        rows[at].reason = reason
        rows[at].protocol = NO_PROTOCOL
        if not is_sound:
            return
        rows[at].flags |= HAS_REMOTE
        # A packet whose form is wrong may have no ports, and a later fragment has none.
        has_ports: bool = reason >= FAULTS and p.fragment != LATER
        if reason >= FAULTS:
            rows[at].protocol = p.protocol
        if has_ports:
            rows[at].flags |= HAS_REMOTE_PORT
        if outbound:
            rows[at].flags |= OUTBOUND
            rows[at].internal_high = p.source_high
            rows[at].internal_low = p.source_low
            rows[at].remote_high = p.destination_high
            rows[at].remote_low = p.destination_low
            if has_ports:
                rows[at].internal_port = p.source_port
                rows[at].remote_port = p.destination_port
            return
        rows[at].remote_high = p.source_high
        rows[at].remote_low = p.source_low
        rows[at].external_high = p.destination_high
        rows[at].external_low = p.destination_low
        if has_ports:
            rows[at].remote_port = p.source_port
            rows[at].external_port = p.destination_port

    def tell_suppressed(self, now: u64) -> None:
        """Tell how many refusals were not told, if that is due."""
        rows: EventRows = self.ring.rows
        if not self.silenced or now < self.summary_due:
            return
        self.silenced = False
        reason: u32
        for reason in range(REASONS_COUNT):
            if self.suppressed[reason] == 0:
                continue
            at: u32 = self.ring.new_row(REFUSALS_SUPPRESSED, now)
            if at == NONE32:
                # Told once there is room.
                self.silenced = True
                return
            rows[at].reason = reason
            rows[at].protocol = NO_PROTOCOL
            rows[at].packets_out = self.suppressed[reason]
            self.suppressed[reason] = 0
