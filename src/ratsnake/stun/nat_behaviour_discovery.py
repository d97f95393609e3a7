"""The UDP tests of RFC 5780 section 4, in one version of IP.

- Mapping (section 4.3): fresh local endpoints contact all servers, and the other address and port
  of the first that has one.  Several ordinary servers do as well, for a mapping needs only two
  remotes to show itself.
- Filtering (section 4.4): fresh local endpoints contact one server, which then sends from its other
  endpoints.  That nothing comes counts only if the server really sends: a local endpoint that has
  contacted all those endpoints asks for the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from ipaddress import ip_address

from ..nat.rules.behaviour import Filtering, Mapping, Selection
from .hairpinning import Hairpinning, observe_hairpinning
from .nat_classification import agreed, port_selection, possible_filterings, possible_mappings
from .stun_client import BRIEF, PATIENT, Outcome, Request, StunClient
from .stun_message import Endpoint
from .udp_sockets import UdpSocket

#: Fresh local endpoints to look at: by chance alone a random port repeats once in 64,512.
_MAPPING_ENDPOINTS = 4
_FILTERING_ENDPOINTS = 2
_MOST_DESTINATIONS = 6


@dataclass(frozen=True)
class Contact:
    """What the first request to each server came to."""

    local: str
    outcomes: dict[Endpoint, Outcome]

    @property
    def answered(self) -> list[Endpoint]:
        return [server for server, outcome in self.outcomes.items() if outcome.mapped]


@dataclass(frozen=True)
class Remotes:
    """Whom to contact: `destinations`, the first of them a server that answers.

    `server` and `other` are a server that has another endpoint, and that.  `notes` say why the
    others' are not used.
    """

    destinations: tuple[Endpoint, ...]
    server: Endpoint | None = None
    other: Endpoint | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MappingResult:
    """`seen`: for each local endpoint the external one by remote, in the order of the contacts."""

    seen: tuple[tuple[Endpoint, dict[Endpoint, Endpoint]], ...]
    mappings: tuple[Mapping, ...]
    varies: bool
    selection: Selection
    silent: tuple[Endpoint, ...] = ()

    @property
    def translated(self) -> bool:
        """Whether there is a NAT: somebody sees another endpoint than the local one."""
        return any(one != local for local, external in self.seen for one in external.values())

    @property
    def external(self) -> tuple[str, ...]:
        """The addresses that were seen."""
        found = (one.address for _, external in self.seen for one in external.values())
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class FilteringResult:
    """`unknown` says why it is not known better; "" where it is."""

    filterings: tuple[Filtering, ...] = tuple(Filtering)
    varies: bool = False
    unknown: str = ""


def contact(client: StunClient, servers: Sequence[Endpoint]) -> Contact:
    """Ask each server once, and patiently if none answers (RFC 5780 section 4.2).

    Raises OSError where this machine has no way to any of them.
    """
    with closing(_open_toward_any(client, servers)) as socket:
        requests = [Request(socket, server) for server in servers]
        outcomes = client.ask(requests, BRIEF)
        if not any(outcome.mapped or outcome.error for outcome in outcomes):
            outcomes = client.ask(requests, PATIENT)
        return Contact(socket.local.address, dict(zip(servers, outcomes, strict=True)))


def find_remotes(contact: Contact) -> Remotes:
    """Whom the mapping is tried with, after the first contact."""
    notes = []
    for server in contact.answered:
        response = contact.outcomes[server].response
        other = response.other if response is not None else None
        if other is None or other == server:
            continue
        if not _may_be_other(server, other):
            notes.append(f"{server} names {other} as its other address, which cannot be used")
            continue
        return Remotes(_destinations(contact.answered, server, other), server, other, tuple(notes))
    return Remotes(_destinations(contact.answered, None, None), notes=tuple(notes))


def observe_mapping(
    client: StunClient, remotes: Remotes
) -> tuple[MappingResult, Hairpinning | None]:
    """Raises OSError where no socket can be had."""
    with ExitStack() as stack:
        sockets = [_open(client, remotes, stack) for _ in range(_MAPPING_ENDPOINTS)]
        seen: list[dict[Endpoint, Endpoint]] = [{} for _ in sockets]
        for remote in remotes.destinations:
            outcomes = client.ask([Request(socket, remote) for socket in sockets])
            for found, outcome in zip(seen, outcomes, strict=True):
                if outcome.mapped is not None:
                    found[remote] = outcome.mapped
        heard = [(one, found) for one, found in zip(sockets, seen, strict=True) if found]
        if not heard:
            raise OSError("the servers have stopped answering")
        mappings, varies = agreed([possible_mappings(found) for _, found in heard])
        result = MappingResult(
            tuple((socket.local, found) for socket, found in heard),
            mappings,
            varies,
            port_selection([(socket.local.port, list(found.values())) for socket, found in heard]),
            tuple(one for one in remotes.destinations if not any(one in found for found in seen)),
        )
        if not result.translated or len(heard) < 2:
            return result, None
        pair = [(socket, next(iter(found.values()))) for socket, found in heard[:2]]
        return result, observe_hairpinning(client.network, *pair)[0]


def observe_filtering(
    client: StunClient, remotes: Remotes, mappings: Sequence[Mapping]
) -> FilteringResult:
    """Raises OSError where no socket can be had."""
    if remotes.server is None or remotes.other is None:
        return FilteringResult(
            unknown="none of these servers has a second address to send from (RFC 5780)"
        )
    server, other = remotes.server, remotes.other
    with ExitStack() as stack:
        sockets = [_open(client, remotes, stack) for _ in range(_FILTERING_ENDPOINTS)]
        reached = client.ask([Request(socket, server) for socket in sockets])
        sockets = [one for one, outcome in zip(sockets, reached, strict=True) if outcome.mapped]
        if not sockets:
            return FilteringResult(unknown=f"{server} has stopped answering")
        asked = [one for socket in sockets for one in _changed_requests(socket, server, other)]
        outcomes = client.ask(asked)
        refusal = _refusal(server, outcomes)
        if refusal:
            return FilteringResult(unknown=refusal)
        passed = [outcome.mapped is not None for outcome in outcomes]
        one_address = other.address == server.address
        pairs = zip(passed[::2], passed[1::2], strict=True)
        each = [possible_filterings(None if one_address else far, near) for far, near in pairs]
        if not any(passed) and not _really_sends(client, remotes, mappings):
            return FilteringResult(
                unknown=f"{server} advertises {other}, but does not send from it"
            )
        filterings, varies = agreed(each)
        unknown = f"{server} has a second port, but no second address" if one_address else ""
        return FilteringResult(filterings, varies, unknown if len(filterings) > 1 else "")


def _destinations(
    answered: Sequence[Endpoint], server: Endpoint | None, other: Endpoint | None
) -> tuple[Endpoint, ...]:
    """The server first and its other endpoints in the order of RFC 5780's tests, then the rest."""
    first: list[Endpoint] = []
    if server is not None and other is not None:
        first = [server, Endpoint(other.address, server.port), other]
    return tuple(dict.fromkeys([*first, *answered]))[:_MOST_DESTINATIONS]


def _may_be_other(server: Endpoint, other: Endpoint) -> bool:
    """Whether packets may be sent there because the server says so.

    It must not make us send into our own network, nor is a private address of any use: a server
    behind a NAT often names its own.
    """
    one, two = ip_address(server.address), ip_address(other.address)
    if one.version != two.version:
        return False
    return two.is_global or (one.is_loopback, one.is_link_local, one.is_private) == (
        two.is_loopback,
        two.is_link_local,
        two.is_private,
    )


def _open_toward_any(client: StunClient, servers: Sequence[Endpoint]) -> UdpSocket:
    for server in servers[:-1]:
        with suppress(OSError):
            return client.network.open(server)
    return client.network.open(servers[-1])


def _open(client: StunClient, remotes: Remotes, stack: ExitStack) -> UdpSocket:
    return stack.enter_context(closing(client.network.open(remotes.destinations[0])))


def _changed_requests(socket: UdpSocket, server: Endpoint, other: Endpoint) -> tuple[Request, ...]:
    """Tests II and III: from the other address and port, and from the other port alone."""
    port = Endpoint(server.address, other.port)
    return (
        Request(socket, server, change_ip=True, change_port=True, sources=(other, server)),
        Request(socket, server, change_port=True, sources=(port, server)),
    )


def _refusal(server: Endpoint, outcomes: Sequence[Outcome]) -> str:
    """Why the server does not do as it was asked, or ""."""
    for outcome in outcomes:
        if outcome.error:
            return f"{server} does not send from its other address: {outcome.failure}"
        if outcome.source == server:
            return f"{server} answers from the address that was asked, not from its other one"
    return ""


def _really_sends(client: StunClient, remotes: Remotes, mappings: Sequence[Mapping]) -> bool:
    """Whether what was asked for comes where no filter can be against it.

    Behind a NAT with another mapping for each remote endpoint there is no such place; there the
    server is believed if its other endpoint answers.
    """
    server, other = remotes.server, remotes.other
    assert server is not None and other is not None
    with closing(client.network.open(server)) as socket:
        known = (server, Endpoint(server.address, other.port), other)
        reached = client.ask([Request(socket, remote) for remote in known])
        if tuple(mappings) == (Mapping.APDM,):
            return reached[-1].mapped is not None
        outcomes = client.ask(_changed_requests(socket, server, other))
        return any(outcome.source not in (None, server) for outcome in outcomes)
