"""The table of mappings, indexed by internal and by external endpoint.

How much of the remote endpoint belongs to a key depends on the mapping's policy: for the internal
index on its mapping behaviour (RFC 4787 section 4.1), for the external one on what tells mappings
that share a port apart (`share`).  The parts that do not count are zero in the key, and where a
policy counts none (`keeps` is 0) the remote is not even kept.  The policy is the first part of an
internal key.  Of an external one it is the policy's `group`, for who looks from outside does not
know the host, and all mappings that have one port are of one group (`allocation.port_pools`).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..rules.behaviour_codes import POLICIES_OF_CLASS, SHARES
    from .keyed_hash import hash5
    from .row_layouts import (
        NONE32,
        Mappings,
        Partners,
        Words,
        new_mappings,
        new_partners,
        poison_mapping,
        prefetch_mapping,
        reserved_words,
        unpoison_mapping,
        unreserve,
    )

    FREE = 255  # no policy: the row is free

from .behaviour_by_protocol import PolicyTable
from .hash_index import Index
from .hash_secret import Secret


class MappingTable:
    rows: Mappings
    partners: Partners
    internal_highs: Words

    def __init__(self, capacity: int, policies: PolicyTable, secret: Secret) -> None:
        self.capacity = capacity
        self.policies = policies
        self.secret = secret
        self.rows = new_mappings(capacity + 1)
        self.partners = new_partners(capacity + 1)
        self.internal_highs = reserved_words(capacity + 1)
        self.by_internal = Index(capacity)
        self.by_external = Index(capacity)
        self.count = self.entered = 0
        self.free = 0
        self.fresh = 1

    def __dealloc__(self) -> None:
        unreserve(self.rows)
        unreserve(self.partners)
        unreserve(self.internal_highs)

    def internal_high(self, m: u32) -> u64:
        """The upper half of the internal address."""
        return self.internal_highs[m] if self.rows[m].is_wide else 0

    def internal_tag(
        self,
        policy: u32,
        high: u64,
        low: u64,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        depends: u32 = self.policies.rows[policy].mapping
        last: u64 = policy << 16 | port
        if depends == 0:
            return hash5(self.secret.words, high, low, 0, 0, last)
        if depends == 2:
            last = last << 16 | remote_port
        return hash5(self.secret.words, high, low, remote_high, remote_low, last)

    def external_tag(
        self,
        policy: u32,
        external: u32,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        depends: u32 = self.policies.rows[policy].share
        group: u32 = self.policies.rows[policy].group
        last: u64 = group << 16 | port
        if depends == 0:
            return hash5(self.secret.words, external, 1, 0, 0, last)
        if depends == 2:
            last = last << 16 | remote_port
        return hash5(self.secret.words, external, 1, remote_high, remote_low, last)

    def internal_tag_of(self, m: u32) -> u32:
        r: Mappings = self.rows
        high: u64 = self.internal_high(m)
        if not self.policies.rows[r[m].policy].keeps:
            return self.internal_tag(
                r[m].policy, high, r[m].internal_low, r[m].internal_port, 0, 0, 0
            )
        return self.internal_tag(
            r[m].policy,
            high,
            r[m].internal_low,
            r[m].internal_port,
            self.partners[m].remote_high,
            self.partners[m].remote_low,
            self.partners[m].remote_port,
        )

    def external_tag_of(self, m: u32) -> u32:
        r: Mappings = self.rows
        if not self.policies.rows[r[m].policy].keeps:
            return self.external_tag(r[m].policy, r[m].external, r[m].external_port, 0, 0, 0)
        return self.external_tag(
            r[m].policy,
            r[m].external,
            r[m].external_port,
            self.partners[m].remote_high,
            self.partners[m].remote_low,
            self.partners[m].remote_port,
        )

    def is_with(
        self, m: u32, depends: u32, remote_high: u64, remote_low: u64, remote_port: u32
    ) -> bool:
        """Whether as much of the mapping's remote as a key depends on is this."""
        if depends == 0:
            return True
        return (
            self.partners[m].remote_low == remote_low
            and self.partners[m].remote_high == remote_high
            and (depends != 2 or self.partners[m].remote_port == remote_port)
        )

    def find_internal(
        self,
        policy: u32,
        high: u64,
        low: u64,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """The row of the mapping an internal endpoint has toward a remote one, or 0."""
        depends: u32 = self.policies.rows[policy].mapping
        r: Mappings = self.rows
        m: u32 = self.by_internal.first(
            self.internal_tag(policy, high, low, port, remote_high, remote_low, remote_port)
        )
        while m:
            if (
                r[m].internal_low == low
                and r[m].internal_port == port
                and r[m].policy == policy
                and self.internal_high(m) == high
                and self.is_with(m, depends, remote_high, remote_low, remote_port)
            ):
                return m
            m = self.by_internal.next()
        return 0

    def find_external(
        self,
        policy: u32,
        external: u32,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """The row of the mapping of the policy's group that has an external endpoint toward a
        remote one, or 0."""
        depends: u32 = self.policies.rows[policy].share
        group: u32 = self.policies.rows[policy].group
        r: Mappings = self.rows
        m: u32 = self.by_external.first(
            self.external_tag(policy, external, port, remote_high, remote_low, remote_port)
        )
        while m:
            if (
                r[m].external_port == port
                and r[m].external == external
                and self.policies.rows[r[m].policy].group == group
                and self.is_with(m, depends, remote_high, remote_low, remote_port)
            ):
                return m
            m = self.by_external.next()
        return 0

    def find_inbound(
        self,
        protocol: u32,
        external: u32,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """The row of the mapping, but of no static forward, that has an external endpoint toward a
        remote one, whoever its host is; or 0."""
        m: u32 = 0
        share: u32
        group: u32
        for share in range(SHARES):
            group = self.policies.groups[protocol * SHARES + share]
            if group != NONE32:
                m = self.find_external(group, external, port, remote_high, remote_low, remote_port)
            if m:
                break
        return m

    def add(
        self,
        policy: u32,
        high: u64,
        low: u64,
        port: u32,
        external: u32,
        external_port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """Enter a mapping known to be absent: its row, or 0 if there is none left.

        The whole remote endpoint is kept, also where the policy looks at less of it, but not where
        it looks at nothing.
        """
        m: u32 = self.free
        r: Mappings = self.rows
        if m:
            self.free = r[m].first
            # The next new mapping finds its row near.
            prefetch_mapping(r, self.free)
        elif self.fresh <= self.capacity:
            m = self.fresh
            self.fresh += 1
        else:
            return 0
        unpoison_mapping(r, self.partners, m)
        self.count += 1
        self.entered += 1
        tag: u32 = self.external_tag(
            policy, external, external_port, remote_high, remote_low, remote_port
        )
        self.by_external.announce(tag)
        r[m].internal_low = low
        r[m].internal_port = port
        r[m].is_wide = 0
        if high:
            r[m].is_wide = 1
            self.internal_highs[m] = high
        r[m].external = external
        r[m].external_port = external_port
        r[m].protocol = policy & POLICIES_OF_CLASS - 1
        r[m].policy = policy
        r[m].host = 0
        r[m].sessions = 0
        r[m].confirmed = 0
        r[m].first = 0
        if self.policies.rows[policy].keeps:
            self.partners[m].remote_high = remote_high
            self.partners[m].remote_low = remote_low
            self.partners[m].remote_port = remote_port
            self.partners[m].endpoint = 0
        self.by_internal.insert(
            self.internal_tag(policy, high, low, port, remote_high, remote_low, remote_port), m
        )
        self.by_external.insert(tag, m)
        self.move_entries()
        return m

    def move_entries(self) -> None:
        """Move what the indexes give to be moved."""
        row: u32 = self.by_internal.moving()
        while row:
            self.by_internal.move(self.internal_tag_of(row), row)
            row = self.by_internal.moving()
        row = self.by_external.moving()
        while row:
            self.by_external.move(self.external_tag_of(row), row)
            row = self.by_external.moving()

    def remove(self, m: u32) -> None:
        self.by_internal.remove(self.internal_tag_of(m), m)
        self.by_external.remove(self.external_tag_of(m), m)
        self.rows[m].policy = FREE
        self.rows[m].first = self.free
        self.free = m
        self.count -= 1
        poison_mapping(self.rows, self.partners, m)
