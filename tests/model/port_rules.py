"""Which external endpoints a new mapping may get: RFC 4787 section 4.2, RFC 7857 sections 3 and 9.

Ports are searched as written in `fitting`; where more than one would do, the engine may take any.
"""

from typing import TYPE_CHECKING, Any

from model.packet_forms import Endpoint, version_of

if TYPE_CHECKING:
    from model.nat_model import Mapping

WELL_KNOWN = range(1024)
UNTRACKED = ("udp", "icmp")  # late packets of their sessions could reach the next user of a port


def round_from(start: int, ports: set[int]) -> list[int]:
    """In ascending order from `start` on, then the others."""
    return sorted(ports, key=lambda port: (port < start, port))


class PortRules:
    def __init__(self, settings: Any) -> None:
        self.behaviours = {"tcp": settings.tcp, "udp": settings.udp, "icmp": settings.icmp}
        self.sets = {str(e.address): sorted(e.ports or ()) for e in settings.externals}
        self.is_paired = settings.pooling.name == "PAIRED"
        self.rest = settings.timeouts.rest * 1000
        self.remembered = settings.limits.mappings + 1
        self.address_of: dict[str, str] = {}  # the external address of each host, if paired
        self.last: dict[tuple[str, Endpoint], Endpoint | None] = {}  # of each internal endpoint
        self.resting: dict[tuple[str, Endpoint], int] = {}  # until when
        self.mappings: list[Mapping] = []
        self.all_swept = True  # else ports may still be with mappings that have expired

    def tells_apart(self, protocol: str, remote: Endpoint) -> tuple[str | int, ...]:
        """The part of a remote endpoint by which sharers of a port differ: the less specific of
        what the mapping and what the filter look at."""
        behaviour = self.behaviours[protocol]
        if behaviour.sharing.name == "EXCLUSIVE":
            return ()
        return remote[: min(behaviour.mapping, behaviour.filtering)]

    def take(self, mapping: "Mapping") -> None:
        self.last[mapping.protocol, mapping.internal] = mapping.external
        self.address_of[mapping.internal[0]] = mapping.external[0]
        self.resting.pop((mapping.protocol, mapping.external), None)

    def give(self, mapping: "Mapping", ended: int) -> None:
        """RFC 6888 REQ-8: where strangers may send to a port, it rests after its last mapping."""
        is_open = self.behaviours[mapping.protocol].filtering.name == "EIF"
        if is_open and mapping.protocol in UNTRACKED:
            self.resting[mapping.protocol, mapping.external] = ended + self.rest

    def wake(self, now: int) -> None:
        self.resting = {key: until for key, until in self.resting.items() if until > now}

    def check(
        self,
        protocol: str,
        internal: Endpoint,
        remote: Endpoint,
        mappings: "list[Mapping]",
        chosen: Endpoint | None,
    ) -> None:
        """Raise AssertionError unless the endpoint may be chosen; None: no mapping was made."""
        self.mappings = [m for m in mappings if m.protocol == protocol]
        choices = [x for x in self.sets if version_of(x) == version_of(internal[0])]
        if self.is_paired:
            choices = [x for x in choices if x == self.address_of.get(internal[0], x)]
        # An endpoint without mappings may be forgotten where there are more than can be remembered.
        if not self.all_swept:
            assert chosen is None or (
                chosen[0] in choices
                and chosen[1] in self.sets[chosen[0]]
                and (
                    all(m.external != chosen for m in self.mappings)
                    or self.may_share(protocol, internal, remote, chosen)
                )
            )
            return
        pasts = [self.last.setdefault((protocol, internal), None)]
        if len(self.last) > self.remembered and all(m.internal != internal for m in self.mappings):
            pasts.append(None)
        pools = [[x] for x in choices] if self.is_paired else [choices]
        allowed = [
            self.allowed(protocol, internal, remote, pool, last) for pool in pools for last in pasts
        ]
        assert any(chosen in endpoints for endpoints in allowed), (chosen, allowed)

    def allowed(
        self,
        protocol: str,
        internal: Endpoint,
        remote: Endpoint,
        choices: list[str],
        last: Endpoint | None,
    ) -> set[Endpoint | None]:
        """The external endpoints that may be chosen; None where the flow may be refused.

        A port that rests is taken only when there is no other at any of these addresses.
        """
        for waking in (False, True):
            fitting = {
                x: self.fitting(
                    protocol, x, internal, remote, last[1] if last and last[0] == x else 0, waking
                )
                for x in choices
            }
            if self.behaviours[protocol].sticky and last and fitting.get(last[0]):
                fitting = {last[0]: fitting[last[0]]}
            if any(fitting.values()):
                return {(x, port) for x in fitting for port in fitting[x]}
        return {None}

    def fitting(
        self,
        protocol: str,
        x: str,
        internal: Endpoint,
        remote: Endpoint,
        before: int,
        waking: bool,
    ) -> set[int]:
        """The ports of external address x a flow may get; `before` is the last one there, or 0.

        In this order: the preferred port; one of the internal port's class (below 1024 or not:
        REQ-3a) and, if that is wanted, parity (REQ-4); one of its class; any.  Each time one nobody
        has before a shared one, unless ports are taken in turn.
        """
        behaviour, ports = self.behaviours[protocol], self.sets[x]
        used = {m.external[1] for m in self.mappings if m.external[0] == x}
        resting = {
            p: self.resting[key] for p in ports if (key := (protocol, (x, p))) in self.resting
        }
        unused = set(ports) - used - set(resting)
        shared = {p for p in used if self.may_share(protocol, internal, remote, (x, p))}
        preferred = 0
        if behaviour.sticky and before:
            preferred = before
        elif behaviour.selection.name == "PRESERVE":
            preferred = internal[1]
        if preferred in unused | shared:
            return {preferred}
        same_class = {p for p in ports if (p in WELL_KNOWN) == (internal[1] in WELL_KNOWN)}
        same_parity = {p for p in ports if p % 2 == internal[1] % 2 or not behaviour.parity}
        start = 0
        if behaviour.selection.name == "SEQUENTIAL" and before:
            start = preferred or round_from(before + 1, same_class & same_parity or set(ports))[0]
        for window in (same_class, set(ports)):
            for wanted in (window & same_parity, window):
                choices = [wanted & unused, wanted & shared]
                if start in window:
                    choices = [{p} for p in round_from(start, wanted & (unused | shared))]
                for candidates in choices:
                    if candidates:
                        return candidates
        return {p for p in resting if waking and resting[p] == min(resting.values())}

    def may_share(
        self, protocol: str, internal: Endpoint, remote: Endpoint, external: Endpoint
    ) -> bool:
        users = [m for m in self.mappings if m.external == external]
        sharing = self.behaviours[protocol].sharing.name
        if sharing == "EXCLUSIVE":
            return False
        if sharing == "DISTINCT" and any(m.internal == internal for m in users):
            return False
        part = self.tells_apart(protocol, remote)
        return all(self.tells_apart(protocol, m.remote) != part for m in users)
