"""What each preset must look like from outside: the table the demo and the tests compare with.

Two columns say how the mapping looks, because the quasi types hide theirs.  Their key includes the
remote (ADM or APDM), but they are *sticky*: a new mapping first tries the port its internal
endpoint had last, and as ports are *overloaded* (one port, several remotes) that port is free
toward any remote nobody else uses it for.  So `alone` such a NAT gives one internal endpoint one
port everywhere and passes for EIM.  `contested` is the same observation while another internal
endpoint takes that very port toward each next remote first (`contest` does it).  There the key
shows: what shares the old mapping keeps its port, what needs a new mapping must get another one.
An EIM mapping belongs to its internal endpoint alone: a competitor cannot take its port, and
nothing changes.

`filtering` needs no such care: one session is opened and every other remote is refused or not.

`ports` is how external ports are chosen: "preserved" (that of the internal endpoint where free),
"sequential" (each new mapping one above the last) or "random".
"""

from __future__ import annotations

from dataclasses import dataclass

from ..nat.rules.behaviour import Filtering, Mapping


@dataclass(frozen=True)
class Expectation:
    """The observable behaviour of a NAT type (RFC 4787 sections 4.1, 4.2 and 5)."""

    alone: Mapping
    contested: Mapping
    filtering: Filtering
    ports: str

    def as_seen_by(self, protocol: str) -> Expectation:
        """The same for what "udp", "tcp" or "icmp" packets can show.

        ICMP Echo has no remote port: what depends on it is seen to depend on the address.
        """
        if protocol != "icmp":
            return self
        return Expectation(
            min(self.alone, Mapping.ADM),
            min(self.contested, Mapping.ADM),
            min(self.filtering, Filtering.ADF),
            self.ports,
        )


EXPECTED: dict[str, Expectation] = {
    name: Expectation(Mapping[alone], Mapping[contested], Filtering[filtering], ports)
    for name, alone, contested, filtering, ports in (
        ("full-cone", "EIM", "EIM", "EIF", "random"),
        ("restricted-cone", "EIM", "EIM", "ADF", "random"),
        ("port-restricted-cone", "EIM", "EIM", "APDF", "random"),
        ("quasi-restricted-cone", "EIM", "ADM", "ADF", "random"),
        ("quasi-port-restricted-cone", "EIM", "APDM", "APDF", "random"),
        ("quasi-symmetric", "APDM", "APDM", "APDF", "random"),
        ("symmetric-address", "ADM", "ADM", "ADF", "sequential"),
        ("symmetric", "APDM", "APDM", "APDF", "sequential"),
    )
}

#: Every mapping with every filtering, by the name `--nat` knows it by.  Ports are exclusive and
#: random, so that a mapping shows itself without competition.
COMBINATIONS: dict[str, Expectation] = {
    f"{mapping.name}/{filtering.name}".lower(): Expectation(mapping, mapping, filtering, "random")
    for mapping in Mapping
    for filtering in Filtering
}

#: Kernel NAT: netfilter keeps the source port unless the whole 5-tuple is taken.
MASQUERADE = Expectation(Mapping.EIM, Mapping.APDM, Filtering.APDF, "preserved")
MASQUERADE_RANDOM = Expectation(Mapping.APDM, Mapping.APDM, Filtering.APDF, "random")
