"""What `ratsnake netcheck` prints, for people and as JSON."""

import textwrap
from collections.abc import Iterator, Sequence
from enum import IntEnum
from ipaddress import ip_address, ip_network
from typing import Any

from ..daemon.user_errors import shown
from ..nat.rules.behaviour import Filtering, Mapping, Selection
from ..stun.binding_lifetime import Lifetime
from ..stun.console_nat_types import BLOCKED, Consequences, consequences
from ..stun.hairpinning import Hairpinning
from ..stun.nat_behaviour_discovery import Contact, FilteringResult, MappingResult
from ..stun.nat_check import CheckResult, UdpResult
from ..stun.nat_classification import hides_its_mapping, nearest_types
from ..stun.server_addresses import Server, same_servers
from ..stun.stun_message import Endpoint

_TITLE = 15  # columns of the words on the left
_NARROWEST = 40

MAPPINGS = {
    Mapping.EIM: "one outside port toward every remote",
    Mapping.ADM: "another outside port for each remote address",
    Mapping.APDM: "another outside port for each remote address and port",
}
FILTERINGS = {
    Filtering.EIF: "anyone may send to it",
    Filtering.ADF: "only addresses it has sent to may send to it",
    Filtering.APDF: "only endpoints it has sent to may send to it",
}
PORTS = {
    Selection.PRESERVE: "preserve: the inside one",
    Selection.RANDOM: "random",
    Selection.SEQUENTIAL: "sequential: the next one for each mapping",
}
HAIRPINNING = {
    None: "",
    Hairpinning.NO: "no: hosts behind it cannot reach each other at their outside endpoints",
    Hairpinning.ANSWERED: "yes, once both sides have sent",
    Hairpinning.UNASKED: "yes",
}
_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_MASQUERADE = "Linux's masquerade"
_OTHER_SERVER = "add a server at another address, or use one that implements RFC 5780"
_BETTER_SERVER = "a server that implements RFC 5780 would tell which"
_NO_UDP = "no server answers over UDP, but over TCP: UDP is blocked, or the servers do not speak it"


def lines(servers: Sequence[Server], results: Sequence[CheckResult], width: int) -> Iterator[str]:
    """The report, in `width` columns."""
    width = max(width, _NARROWEST)
    for result in results:
        for heading, rows in _sections(result):
            yield from textwrap.wrap(shown(heading), width, subsequent_indent="  ")
            for title, text in rows:
                yield from textwrap.wrap(
                    shown(text),
                    width,
                    initial_indent=f"  {title:<{_TITLE}}",
                    subsequent_indent=" " * (_TITLE + 2),
                    break_on_hyphens=False,
                )
            yield ""
    yield "servers"
    for title, text in _server_rows(servers, results):
        yield f"  {shown(title)}"
        yield from textwrap.wrap(
            shown(text), width, initial_indent="    ", subsequent_indent="    "
        )


def _sections(result: CheckResult) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A heading and rows of title and text, for each protocol."""
    where = f"over IPv{result.version}"
    if result.problem:
        yield f"IPv{result.version}: nothing can be sent: {result.problem}", []
        return
    if result.udp is not None:
        yield f"UDP {where}: {_verdict(result.udp)}", list(_udp_rows(result.udp))
    elif result.tcp is not None:
        rows = [("", _NO_UDP), *_consequence_rows(BLOCKED)]
        yield f"UDP {where}: no answer", rows
    else:
        yield f"UDP {where}: no answer", []
    if result.tcp is not None:
        what = "a NAT" if result.tcp.translated else "no NAT"
        yield f"TCP {where}: {what}", list(_mapping_rows(result.tcp))
    elif result.tcp_contact is not None:
        yield f"TCP {where}: no answer", []


def _verdict(udp: UdpResult) -> str:
    mapping, filtering = udp.mapping, udp.filtering
    if not mapping.translated:
        if filtering.filterings == (Filtering.EIF,):
            return "no NAT, and no firewall"
        if len(filtering.filterings) > 1:
            return "no NAT"
        return "no NAT, but a firewall that lets in answers only"
    if len(mapping.mappings) == len(Mapping):
        return "a NAT of unknown type"
    names, exact = nearest_types(mapping.mappings, filtering.filterings, mapping.selection)
    if not exact:
        return f"{_written(udp) or 'a NAT'}, a combination without a name"
    return _either([name for name in names if not hides_its_mapping(name)])


def _udp_rows(udp: UdpResult) -> Iterator[tuple[str, str]]:
    yield from _mapping_rows(udp.mapping)
    filtering = _possible(udp.filtering.filterings, FILTERINGS)
    unknown = udp.filtering.unknown
    yield "filtering", f"{filtering}: {unknown}" if unknown else filtering
    if udp.filtering.varies:
        yield "", "it varies from port to port; this is the strictest seen"
    if udp.hairpinning is not None:
        yield "hairpinning", HAIRPINNING[udp.hairpinning]
    if udp.lifetime is not None:
        yield "lifetime", _lifetime(udp.lifetime)
    if udp.mapping.translated:
        yield from _type_rows(udp)
    yield from _consequence_rows(_consequences(udp))
    for note in (*udp.remotes.notes, *_notes(udp)):
        yield "note", note


def _mapping_rows(mapping: MappingResult) -> Iterator[tuple[str, str]]:
    yield "inside", mapping.seen[0][0].address
    yield "outside", ", ".join(mapping.external)
    if not mapping.translated:
        return
    text = _possible(mapping.mappings, MAPPINGS)
    if len(mapping.mappings) > 1:
        nothing = len(mapping.mappings) == len(Mapping)
        text = f"{text}: {_OTHER_SERVER if nothing else _BETTER_SERVER}"
    yield "mapping", text
    if mapping.varies:
        yield "", "it varies from port to port; this is the strictest seen"
    local, external = mapping.seen[0][0].port, next(iter(mapping.seen[0][1].values())).port
    yield "ports", f"{PORTS[mapping.selection]} ({local} is {external} outside)"


def _possible(possible: Sequence[IntEnum], words: dict[Any, str]) -> str:
    """A behaviour with its meaning, or those that are possible."""
    if len(possible) == len(words):
        return "not known"
    if len(possible) > 1:
        return _either([one.name for one in possible])
    return f"{possible[0].name}: {words[possible[0]]}"


def _type_rows(udp: UdpResult) -> Iterator[tuple[str, str]]:
    mapping, filtering = udp.mapping, udp.filtering
    if len(mapping.mappings) == len(Mapping):
        return
    names, exact = nearest_types(mapping.mappings, filtering.filterings, mapping.selection)
    if not exact:
        yield "nearest types", ", ".join(names)
    elif len(mapping.mappings) == len(filtering.filterings) == 1:
        alike = [name for name in names if hides_its_mapping(name)]
        if _like_masquerade(udp):
            alike.append(_MASQUERADE)
        if alike:
            yield "looks the same", f"{', '.join(alike)} (while no other host wants the port)"
    written = _written(udp)
    if written:
        yield "as --nat", written


def _like_masquerade(udp: UdpResult) -> bool:
    """netfilter keeps the source port where it can, and accepts answers only."""
    seen = (udp.mapping.mappings, udp.filtering.filterings, udp.mapping.selection)
    return seen == ((Mapping.EIM,), (Filtering.APDF,), Selection.PRESERVE)


def _written(udp: UdpResult) -> str:
    """As `ratsnake run --nat` takes it; "" where it is not known."""
    mappings, filterings = udp.mapping.mappings, udp.filtering.filterings
    if len(mappings) > 1 or len(filterings) > 1:
        return ""
    kind = f"{mappings[0].name}/{filterings[0].name}".lower()
    selection = udp.mapping.selection
    return kind if selection is Selection.RANDOM else f"{kind}+{selection.name.lower()}"


def _either(names: Sequence[str]) -> str:
    """One, or "a, b or c"."""
    return " or ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def _consequences(udp: UdpResult) -> Consequences:
    mapping = udp.mapping
    return consequences(
        mapping.translated, mapping.mappings, udp.filtering.filterings, mapping.selection
    )


def _consequence_rows(found: Consequences) -> Iterator[tuple[str, str]]:
    for title, kind, values in (
        ("Switch", "NAT type ", found.switch),
        ("PlayStation", "NAT type ", found.playstation),
        ("Xbox", "NAT type ", found.xbox),
    ):
        if values:
            yield title, kind + _either(values)
    yield "peer to peer", found.peer_to_peer


def _lifetime(lifetime: Lifetime) -> str:
    if lifetime.unknown:
        return f"not known: {lifetime.unknown}"
    if lifetime.gone is None:
        return f"more than {lifetime.alive:.0f} s without a packet"
    return f"between {lifetime.alive:.0f} and {lifetime.gone:.0f} s without a packet"


def _notes(udp: UdpResult) -> Iterator[str]:
    for remote in udp.mapping.silent:
        yield f"{remote} does not answer, so it shows nothing"
    if any(one.response and one.response.rewritten for one in udp.contact.outcomes.values()):
        yield "something on the way rewrites addresses inside packets (an ALG)"
    if udp.mapping.translated and any(map(_is_private, udp.mapping.external)):
        yield "the outside address is private: another NAT is between this server and the internet"
    if len(udp.mapping.external) > 1:
        yield "several outside addresses for one inside address: arbitrary pooling, RFC 4787 REQ-2"


def _is_private(address: str) -> bool:
    """RFC 1918, RFC 6598 (addresses of providers), RFC 4193."""
    return any(ip_address(address) in prefix for prefix in _PRIVATE)


def _server_rows(
    servers: Sequence[Server], results: Sequence[CheckResult]
) -> Iterator[tuple[str, str]]:
    for server in servers:
        if server.problem:
            yield server.name, server.problem
        for result in results:
            endpoint = server.endpoints.get(result.version)
            if endpoint is not None and not result.problem:
                yield f"{server.name}{_address(server, endpoint)}", _answers(result, endpoint)
    for result in results:
        for first, second in same_servers(servers, result.version):
            yield second, f"is the same server as {first}"
        if result.ignored:
            yield f"IPv{result.version}", f"{result.ignored} datagrams were no valid answers"


def _address(server: Server, endpoint: Endpoint) -> str:
    return "" if server.name == str(endpoint) else f" ({endpoint})"


def _answers(result: CheckResult, endpoint: Endpoint) -> str:
    answers = {"UDP": result.contact, "TCP": result.tcp_contact}
    return "; ".join(
        f"{protocol}: {_answer(contact, endpoint)}"
        for protocol, contact in answers.items()
        if contact is not None
    )


def _answer(contact: Contact, endpoint: Endpoint) -> str:
    outcome = contact.outcomes[endpoint]
    if outcome.response is None:
        return outcome.failure
    other = outcome.response.other
    return "answers" if other is None else f"answers, also from {other}"


def fields(servers: Sequence[Server], results: Sequence[CheckResult]) -> dict[str, Any]:
    """The same as JSON; lists have what is possible, and one value where it is known."""
    return {
        "servers": [
            {
                "name": server.name,
                "ipv4": _endpoint(server.endpoints.get(4)),
                "ipv6": _endpoint(server.endpoints.get(6)),
                "problem": server.problem or None,
            }
            for server in servers
        ],
        "results": [_result(result) for result in results],
    }


def _result(result: CheckResult) -> dict[str, Any]:
    return {
        "version": result.version,
        "problem": result.problem or None,
        "ignored": result.ignored,
        "answers": {
            "udp": _contact(result.contact),
            "tcp": _contact(result.tcp_contact),
        },
        "udp": None if result.udp is None else _udp(result.udp),
        "tcp": None if result.tcp is None else _mapping(result.tcp),
    }


def _contact(contact: Contact | None) -> list[dict[str, Any]] | None:
    if contact is None:
        return None
    return [
        {
            "server": str(server),
            "failure": outcome.failure or None,
            "other": str(outcome.response.other)
            if outcome.response is not None and outcome.response.other is not None
            else None,
        }
        for server, outcome in contact.outcomes.items()
    ]


def _mapping(mapping: MappingResult) -> dict[str, Any]:
    return {
        "inside": mapping.seen[0][0].address,
        "outside": list(mapping.external),
        "nat": mapping.translated,
        "mapping": _names(mapping.mappings),
        "mapping_varies": mapping.varies,
        "ports": mapping.selection.name.lower(),
        "seen": [
            {
                "inside": str(local),
                "outside": {str(remote): str(endpoint) for remote, endpoint in external.items()},
            }
            for local, external in mapping.seen
        ],
    }


def _udp(udp: UdpResult) -> dict[str, Any]:
    found = _consequences(udp)
    names, exact = nearest_types(
        udp.mapping.mappings, udp.filtering.filterings, udp.mapping.selection
    )
    return {
        **_mapping(udp.mapping),
        **_filtering(udp.filtering),
        "hairpinning": None if udp.hairpinning is None else udp.hairpinning.name.lower(),
        "lifetime": None if udp.lifetime is None else udp.lifetime._asdict(),
        "types": list(names) if udp.mapping.translated else [],
        "types_exact": exact,
        "consoles": {
            "switch": list(found.switch),
            "playstation": list(found.playstation),
            "xbox": list(found.xbox),
        },
        "peer_to_peer": found.peer_to_peer,
        "notes": [*udp.remotes.notes, *_notes(udp)],
    }


def _filtering(filtering: FilteringResult) -> dict[str, Any]:
    return {
        "filtering": _names(filtering.filterings),
        "filtering_varies": filtering.varies,
        "filtering_unknown": filtering.unknown or None,
    }


def _names(possible: Sequence[IntEnum]) -> list[str]:
    return [one.name for one in possible]


def _endpoint(endpoint: Endpoint | None) -> str | None:
    return None if endpoint is None else str(endpoint)
