"""The table of mappings, indexed by internal and by external endpoint.

How much of the remote endpoint belongs to a key depends on the mapping's policy: for the internal
index on its mapping behaviour (RFC 4787 section 4.1), for the external one on what tells mappings
that share a port apart (`share`).  The parts that do not count are zero in the key.  The policy is
the first part of a key: the row of its protocol, or that row + STATIC.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.types import M32, u32, u64

    from .hashing import hash5
    from .policies import STATIC
    from .records import Mappings, new_mappings, release

from .index import Index
from .policy_table import PolicyTable
from .secret import Secret


class MappingTable:
    rows: Mappings

    def __init__(self, capacity: int, policies: PolicyTable, secret: Secret) -> None:
        self.capacity = capacity
        self.policies = policies
        self.secret = secret
        self.rows = new_mappings(capacity + 1)
        self.by_internal = Index(capacity)
        self.by_external = Index(capacity)
        self.count = 0
        self.free = 0
        self.fresh = 1

    def __dealloc__(self) -> None:
        release(self.rows)

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
        last: u64 = policy << 16 | port
        if depends == 0:
            return hash5(self.secret.words, external, 1, 0, 0, last)
        if depends == 2:
            last = last << 16 | remote_port
        return hash5(self.secret.words, external, 1, remote_high, remote_low, last)

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
        tag: u32 = self.internal_tag(policy, high, low, port, remote_high, remote_low, remote_port)
        m: Mappings = self.rows
        at: u64 = tag & self.by_internal.mask
        slot: u64 = self.by_internal.slots[at]
        i: u32
        while slot:
            if slot >> 32 == tag:
                i = slot & M32
                if (
                    m[i].internal_low == low
                    and m[i].internal_high == high
                    and m[i].internal_port == port
                    and m[i].policy == policy
                    and (
                        depends == 0
                        or (m[i].remote_low == remote_low and m[i].remote_high == remote_high)
                    )
                    and (depends != 2 or m[i].remote_port == remote_port)
                ):
                    return i
            at = at + 1 & self.by_internal.mask
            slot = self.by_internal.slots[at]
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
        """The row of the mapping that has an external endpoint toward a remote one, or 0."""
        depends: u32 = self.policies.rows[policy].share
        tag: u32 = self.external_tag(policy, external, port, remote_high, remote_low, remote_port)
        m: Mappings = self.rows
        at: u64 = tag & self.by_external.mask
        slot: u64 = self.by_external.slots[at]
        i: u32
        while slot:
            if slot >> 32 == tag:
                i = slot & M32
                if (
                    m[i].external_port == port
                    and m[i].external == external
                    and m[i].policy == policy
                    and (
                        depends == 0
                        or (m[i].remote_low == remote_low and m[i].remote_high == remote_high)
                    )
                    and (depends != 2 or m[i].remote_port == remote_port)
                ):
                    return i
            at = at + 1 & self.by_external.mask
            slot = self.by_external.slots[at]
        return 0

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
        """Enter a mapping known to be absent; the caller has checked `count` < `capacity`.

        The whole remote endpoint is kept, also where the policy looks at less of it.
        """
        i: u32 = self.free
        m: Mappings = self.rows
        if i:
            self.free = m[i].first
        else:
            i = self.fresh
            self.fresh += 1
        self.count += 1
        m[i].internal_high = high
        m[i].internal_low = low
        m[i].internal_port = port
        m[i].external = external
        m[i].external_port = external_port
        m[i].remote_high = remote_high
        m[i].remote_low = remote_low
        m[i].remote_port = remote_port
        m[i].protocol = policy - STATIC if policy >= STATIC else policy
        m[i].policy = policy
        m[i].host = 0
        m[i].sessions = 0
        m[i].confirmed = 0
        m[i].first = 0
        m[i].endpoint = 0
        m[i].live = 1
        self.by_internal.insert(
            self.internal_tag(policy, high, low, port, remote_high, remote_low, remote_port), i
        )
        self.by_external.insert(
            self.external_tag(
                policy, external, external_port, remote_high, remote_low, remote_port
            ),
            i,
        )
        return i

    def remove(self, row: u32) -> None:
        m: Mappings = self.rows
        self.by_internal.remove(
            self.internal_tag(
                m[row].policy,
                m[row].internal_high,
                m[row].internal_low,
                m[row].internal_port,
                m[row].remote_high,
                m[row].remote_low,
                m[row].remote_port,
            ),
            row,
        )
        self.by_external.remove(
            self.external_tag(
                m[row].policy,
                m[row].external,
                m[row].external_port,
                m[row].remote_high,
                m[row].remote_low,
                m[row].remote_port,
            ),
            row,
        )
        m[row].live = 0
        m[row].first = self.free
        self.free = row
        self.count -= 1
