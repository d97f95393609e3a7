"""All tests in one version of IP, in their order: UDP's, and TCP's in a thread beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from .binding_lifetime import Lifetime, measure_lifetime
from .hairpinning import Hairpinning
from .nat_behaviour_discovery import (
    Contact,
    FilteringResult,
    MappingResult,
    Remotes,
    contact,
    find_remotes,
    observe_filtering,
    observe_mapping,
)
from .stun_client import StunClient
from .stun_message import Endpoint
from .tcp_mapping import contact_tcp, observe_tcp_mapping


@dataclass(frozen=True)
class UdpResult:
    contact: Contact
    remotes: Remotes
    mapping: MappingResult
    hairpinning: Hairpinning | None
    filtering: FilteringResult
    lifetime: Lifetime | None = None


@dataclass(frozen=True)
class CheckResult:
    """What was found with one version of IP.

    `problem`: why nothing could be sent.  `udp` is None where no server answered over it, which
    `contact` has the reasons of; so are `tcp` and `tcp_contact`.
    """

    version: int
    problem: str = ""
    contact: Contact | None = None
    udp: UdpResult | None = None
    tcp_contact: Contact | None = None
    tcp: MappingResult | None = None
    ignored: int = 0

    @property
    def answered(self) -> bool:
        return self.udp is not None or self.tcp is not None


def check_network(
    client: StunClient,
    version: int,
    servers: Sequence[Endpoint],
    lifetime_limit: float | None = None,
    with_tcp: bool = True,
    report: Callable[[str], None] = lambda text: None,
) -> CheckResult:
    """Test with these servers' endpoints, all of one version of IP and each there once.

    `lifetime_limit`: measure how long a mapping lives, up to so many seconds.  `report` is told
    what is being done.
    """
    try:
        with ThreadPoolExecutor(1) as threads:
            tcp = threads.submit(contact_tcp, servers) if with_tcp else None
            report(f"IPv{version}: asking {_servers(len(servers))}")
            reached = contact(client, servers)
            remotes = find_remotes(reached) if reached.answered else None
            mapped = threads.submit(_tcp_mapping, tcp, remotes) if tcp is not None else None
            udp = None
            if remotes is not None:
                udp = _udp(client, version, reached, remotes, lifetime_limit, report)
            return CheckResult(
                version,
                contact=reached,
                udp=udp,
                tcp_contact=tcp.result() if tcp is not None else None,
                tcp=mapped.result() if mapped is not None else None,
                ignored=client.ignored,
            )
    except OSError as error:
        return CheckResult(version, problem=error.strerror or str(error))


def _udp(
    client: StunClient,
    version: int,
    reached: Contact,
    remotes: Remotes,
    lifetime_limit: float | None,
    report: Callable[[str], None],
) -> UdpResult:
    report(f"IPv{version}: mapping and hairpinning")
    mapping, hairpinning = observe_mapping(client, remotes)
    report(f"IPv{version}: filtering")
    filtering = observe_filtering(client, remotes, mapping.mappings)
    lifetime = None
    if lifetime_limit is not None:
        lifetime = measure_lifetime(client, remotes.destinations[0], lifetime_limit, report)
    return UdpResult(reached, remotes, mapping, hairpinning, filtering, lifetime)


def _tcp_mapping(contacted: Future[Contact], known: Remotes | None) -> MappingResult | None:
    return observe_tcp_mapping(contacted.result(), known)


def _servers(count: int) -> str:
    return f"{count} servers" if count > 1 else "the server"
