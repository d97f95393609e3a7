"""What netcheck finds out about our own engine, and about servers that are of little use or wrong.

The network is one in memory, so nothing here waits.
"""

from collections.abc import Iterable
from typing import Any

import pytest

from ratsnake.nat.rules.behaviour import PRESETS, Filtering, Mapping, Selection, parse_behaviour
from ratsnake.stun.hairpinning import Hairpinning
from ratsnake.stun.nat_check import CheckResult, UdpResult, check_network
from ratsnake.stun.nat_classification import hides_its_mapping, nearest_types, port_selection
from ratsnake.stun.stun_client import BRIEF, Request, StunClient
from ratsnake.stun.stun_message import Endpoint
from support.bench import EXTERNAL, INSIDE, Bench
from support.flavours import load
from support.stun_network import VirtualNetwork
from support.stun_server import CHANGE_REQUEST, RESPONSE_PORT, Answer, StunServer, success

A, B, C = "198.51.100.1", "198.51.100.2", "198.51.100.3"
SERVER = Endpoint(A, 3478)
OTHER = Endpoint(B, 3479)
COMBINATIONS = [f"{m.name}/{f.name}".lower() for m in Mapping for f in Filtering]
ALL = tuple(Filtering)


def rfc_5780(**keywords: Any) -> StunServer:
    return StunServer((A, B), **keywords)


def ordinary(address: str, port: int = 3478, **keywords: Any) -> StunServer:
    """One that knows nothing of RFC 5780."""
    return StunServer((address,), (port,), frozenset(), **keywords)


def behind(nat_type: str, **keywords: Any) -> Bench:
    engine = load("compiled")
    modules: Any = engine.modules
    behaviour = modules["nat.rules.behaviour"].parse_behaviour(nat_type)
    return Bench(engine, udp=behaviour, ports="1024-65535", **keywords)


def check(network: VirtualNetwork, *servers: Endpoint) -> CheckResult:
    return check_network(StunClient(network), 4, servers or (SERVER,), with_tcp=False)


def found(network: VirtualNetwork, *servers: Endpoint) -> UdpResult:
    result = check(network, *servers)
    assert result.udp is not None, result
    assert network.sockets == {}, "a socket was left open"
    return result.udp


def natted(nat_type: str, *servers: StunServer, **keywords: Any) -> VirtualNetwork:
    bench = behind(nat_type)
    return VirtualNetwork(servers or (rfc_5780(),), lambda port: bench, **keywords)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_mapping_with_every_filtering(combination: str) -> None:
    udp = found(natted(combination))
    behaviour = parse_behaviour(combination)
    assert udp.mapping.mappings == (behaviour.mapping,)
    assert udp.filtering.filterings == (behaviour.filtering,)
    assert (udp.mapping.varies, udp.filtering.varies, udp.filtering.unknown) == (False, False, "")
    assert udp.mapping.selection is Selection.RANDOM
    assert udp.mapping.translated and udp.mapping.external == (EXTERNAL,)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_named(name: str) -> None:
    udp = found(natted(name))
    names, exact = nearest_types(
        udp.mapping.mappings, udp.filtering.filterings, udp.mapping.selection
    )
    assert exact and name in names
    assert hides_its_mapping(name) or names[0] == name


def test_what_is_none_of_the_presets() -> None:
    near = nearest_types((Mapping.ADM,), (Filtering.APDF,), Selection.RANDOM)
    assert near == (("quasi-symmetric",), False)
    near = nearest_types((Mapping.APDM,), (Filtering.APDF,), Selection.PRESERVE)
    assert near == (("quasi-symmetric", "symmetric"), True)


@pytest.mark.parametrize("selection", Selection)
@pytest.mark.parametrize("mapping", ["eim", "adm", "apdm"])
def test_port_selection(mapping: str, selection: Selection) -> None:
    sharing = "" if mapping == "eim" else "+overload"
    nat = natted(f"{mapping}/apdf{sharing}+{selection.name.lower()}")
    seen = found(nat).mapping
    # Our next port is the next of the same internal endpoint: with EIM it has no second one.
    hidden = (mapping, selection) == ("eim", Selection.SEQUENTIAL)
    assert seen.selection is (Selection.RANDOM if hidden else selection)
    # A preserved port that is shared is the same toward everybody, and so looks like EIM.
    preserved = selection is Selection.PRESERVE
    assert seen.mappings == (Mapping.EIM if preserved else Mapping[mapping.upper()],)


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([[7000], [7001], [7002], [7004]], Selection.SEQUENTIAL),  # one counter for the whole NAT
        ([[7000, 7002], [7001, 7003]], Selection.SEQUENTIAL),
        ([[65534], [65535], [1024], [1025]], Selection.SEQUENTIAL),
        ([[7000], [7100], [7200], [7300]], Selection.RANDOM),
        ([[7003], [7002], [7001], [7000]], Selection.RANDOM),
        ([[40000], [40001], [40002]], Selection.PRESERVE),
        ([[7000]], Selection.RANDOM),
    ],
)
def test_the_order_of_ports(ports: list[list[int]], expected: Selection) -> None:
    seen = [
        (40000 + k, [Endpoint(EXTERNAL, port) for port in each]) for k, each in enumerate(ports)
    ]
    assert port_selection(seen) is expected


@pytest.mark.parametrize(
    ("nat_type", "expected"),
    [
        ("eim/eif", Hairpinning.UNASKED),
        ("eim/adf", Hairpinning.ANSWERED),
        ("eim/apdf", Hairpinning.ANSWERED),
        ("apdm/apdf", Hairpinning.NO),
        ("apdm/eif", Hairpinning.UNASKED),
    ],
)
def test_hairpinning(nat_type: str, expected: Hairpinning) -> None:
    assert found(natted(nat_type)).hairpinning is expected


def test_no_nat() -> None:
    udp = found(VirtualNetwork([rfc_5780()]))
    assert not udp.mapping.translated and udp.mapping.external == (INSIDE,)
    assert (udp.mapping.mappings, udp.hairpinning) == ((Mapping.EIM,), None)
    assert udp.filtering.filterings == (Filtering.EIF,)


def test_no_nat_but_a_firewall() -> None:
    udp = found(VirtualNetwork([rfc_5780()], firewall=True))
    assert not udp.mapping.translated
    assert udp.filtering.filterings == (Filtering.APDF,)


def test_ipv6_without_nat() -> None:
    server = StunServer(("2001:db8:2::1", "2001:db8:2::2"))
    network = VirtualNetwork([server], inside="2001:db8:1::10")
    result = check_network(
        StunClient(network), 6, [Endpoint("2001:db8:2::1", 3478)], with_tcp=False
    )
    assert result.udp is not None and not result.udp.mapping.translated
    assert result.udp.filtering.filterings == (Filtering.EIF,)


def test_two_ordinary_servers_show_an_endpoint_independent_mapping() -> None:
    udp = found(natted("eim/eif", ordinary(A), ordinary(B)), SERVER, Endpoint(B, 3478))
    assert udp.mapping.mappings == (Mapping.EIM,)
    assert udp.filtering.filterings == ALL and "no second address" not in udp.filtering.unknown
    assert udp.filtering.unknown


@pytest.mark.parametrize("mapping", ["adm", "apdm"])
def test_two_ordinary_servers_do_not_tell_adm_from_apdm(mapping: str) -> None:
    udp = found(natted(f"{mapping}/adf", ordinary(A), ordinary(B)), SERVER, Endpoint(B, 3478))
    assert udp.mapping.mappings == (Mapping.ADM, Mapping.APDM)


@pytest.mark.parametrize("mapping", Mapping)
def test_a_second_port_of_one_of_two_ordinary_servers_does(mapping: Mapping) -> None:
    servers = [SERVER, Endpoint(A, 5000), Endpoint(B, 3478)]
    nat = natted(f"{mapping.name.lower()}/adf", ordinary(A), ordinary(A, 5000), ordinary(B))
    assert found(nat, *servers).mapping.mappings == (mapping,)


def test_one_ordinary_server_shows_little() -> None:
    udp = found(natted("eim/eif", ordinary(A)))
    assert udp.mapping.translated and udp.mapping.mappings == tuple(Mapping)
    assert udp.filtering.filterings == ALL


@pytest.mark.parametrize(
    ("nat_type", "mappings", "filterings"),
    [
        ("eim/eif", (Mapping.EIM, Mapping.ADM), (Filtering.EIF, Filtering.ADF)),
        ("adm/adf", (Mapping.EIM, Mapping.ADM), (Filtering.EIF, Filtering.ADF)),
        ("eim/apdf", (Mapping.EIM, Mapping.ADM), (Filtering.APDF,)),
        ("apdm/apdf", (Mapping.APDM,), (Filtering.APDF,)),
    ],
)
def test_a_server_with_two_ports_and_one_address(
    nat_type: str, mappings: tuple[Mapping, ...], filterings: tuple[Filtering, ...]
) -> None:
    udp = found(natted(nat_type, StunServer((A,))))
    assert (udp.mapping.mappings, udp.filtering.filterings) == (mappings, filterings)
    assert bool(udp.filtering.unknown) == (len(filterings) > 1)


def test_a_server_that_answers_from_the_address_that_was_asked() -> None:
    udp = found(natted("eim/apdf", rfc_5780(changes=False)))
    assert udp.mapping.mappings == (Mapping.EIM,)
    assert udp.filtering.filterings == ALL
    assert "answers from the address that was asked" in udp.filtering.unknown


def test_a_server_that_refuses_change_request() -> None:
    udp = found(natted("eim/apdf", rfc_5780(knows=frozenset({RESPONSE_PORT}))))
    assert udp.filtering.filterings == ALL and "error 420" in udp.filtering.unknown


def never_from_the_other(answer: Answer) -> Iterable[Answer]:
    """An answer to a plain request to the other endpoint is lost too, if it is not asked."""
    return [] if answer.source[1] != 3478 else [answer]


@pytest.mark.parametrize("nat_type", ["eim/eif", "eim/apdf", "adm/apdf", "apdm/apdf"])
def test_that_nothing_comes_is_no_filter_where_nothing_is_sent(nat_type: str) -> None:
    udp = found(natted(nat_type, rfc_5780(twist=never_from_the_other)))
    assert udp.filtering.filterings == ALL
    assert "but does not send from it" in udp.filtering.unknown
    assert udp.mapping.silent == (OTHER,)


def test_another_address_that_does_not_answer() -> None:
    silent = frozenset({OTHER, Endpoint(B, 3478)})
    udp = found(natted("eim/adf", rfc_5780(silent=silent)))
    assert udp.mapping.mappings == tuple(Mapping) and set(udp.mapping.silent) == silent


@pytest.mark.parametrize(
    "other", ["127.0.0.1", "224.0.0.5", "169.254.1.1", "0.0.0.0", "255.255.255.255"]
)
def test_nothing_is_sent_where_a_server_must_not_send_us(other: str) -> None:
    nat = natted("eim/adf", rfc_5780(other=Endpoint(other, 3479)))
    udp = found(nat)
    assert {destination.address for _, _, destination in nat.sent} == {A, EXTERNAL}
    assert udp.mapping.mappings == tuple(Mapping)


def test_a_public_server_does_not_make_us_send_into_our_own_network() -> None:
    public = Endpoint("1.1.1.1", 3478)
    server = StunServer((public.address, "9.9.9.9"), other=("192.168.1.1", 80))
    nat = natted("eim/adf", server)
    udp = found(nat, public)
    assert {destination.address for _, _, destination in nat.sent} == {public.address, EXTERNAL}
    assert udp.remotes.notes == (
        "1.1.1.1:3478 names 192.168.1.1:80 as its other address, which cannot be used",
    )


def test_a_mapping_that_differs_from_port_to_port() -> None:
    one, other = behind("eim/eif"), behind("apdm/apdf")
    network = VirtualNetwork([rfc_5780()])
    network.bench = lambda port: (one, other)[list(network.sockets).index(port) % 2]
    udp = found(network)
    assert (udp.mapping.mappings, udp.mapping.varies) == ((Mapping.APDM,), True)
    assert (udp.filtering.filterings, udp.filtering.varies) == ((Filtering.APDF,), True)


def test_lost_datagrams_do_not_mislead() -> None:
    for nat_type in ("eim/eif", "eim/adf", "apdm/apdf"):
        udp = found(natted(nat_type, lost=lambda number: number % 7 == 3))
        behaviour = parse_behaviour(nat_type)
        assert udp.mapping.mappings == (behaviour.mapping,)
        assert udp.filtering.filterings == (behaviour.filtering,)


def test_at_most_ten_transactions_a_second() -> None:
    """RFC 5780 section 5."""
    nat = natted("eim/eif")
    found(nat)
    firsts = [when for when, _, destination in nat.sent if destination.address != EXTERNAL]
    assert all(b - a >= 0.1 - 1e-9 for a, b in zip(firsts, firsts[1:], strict=False))


def test_no_answer() -> None:
    """RFC 8489 section 6.2.1: seven times in 39.5 s; before, four times in 5.5 s."""
    network = natted("eim/eif", ordinary(C))
    result = check(network)
    assert (result.udp, result.answered) == (None, False)
    assert result.contact is not None
    assert result.contact.outcomes[SERVER].failure == "no answer"
    assert [when for when, _, _ in network.sent] == pytest.approx(
        [0, 0.5, 1.5, 3.5, *(5.5 + when for when in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5))]
    )
    assert network.time == pytest.approx(5.5 + 39.5)


def test_a_closed_port_is_told_at_once() -> None:
    network = VirtualNetwork([], refused=frozenset({SERVER}))
    result = check(network)
    assert result.contact is not None
    assert result.contact.outcomes[SERVER].failure == "ICMP error: Connection refused"
    assert network.time < 1


def test_one_server_of_two_does_not_answer() -> None:
    result = check(natted("eim/eif"), Endpoint(C, 3478), SERVER)
    assert result.udp is not None and result.udp.mapping.mappings == (Mapping.EIM,)
    assert result.contact is not None and result.contact.answered == [SERVER]


def test_no_way_there() -> None:
    result = check(VirtualNetwork([rfc_5780()], reachable=lambda toward: False))
    assert (result.problem, result.answered) == ("Network is unreachable", False)


def test_no_way_to_one_of_two_servers() -> None:
    network = natted("eim/eif", reachable=lambda toward: toward.address != C)
    result = check(network, Endpoint(C, 3478), SERVER)
    assert result.udp is not None and result.udp.mapping.mappings == (Mapping.EIM,)


def test_a_server_that_stops_answering() -> None:
    left = iter(range(1))

    def once(answer: Answer) -> Iterable[Answer]:
        return [answer] if next(left, None) is not None else []

    result = check(natted("eim/eif", rfc_5780(twist=once)))
    assert result.problem == "the servers have stopped answering"


def test_a_public_other_address_of_a_private_server_is_used() -> None:
    network = VirtualNetwork([StunServer((A, "9.9.9.9"))])
    assert found(network).remotes.other == ("9.9.9.9", 3479)


def test_an_answer_that_comes_in_at_another_socket_is_none() -> None:
    asked: list[tuple[str, int]] = []

    def crossed(answer: Answer) -> Iterable[Answer]:
        """To whoever asked first, even if somebody else asked."""
        asked.append(answer.destination)
        return [answer._replace(destination=asked[0])]

    network = VirtualNetwork([ordinary(A, twist=crossed)])
    client = StunClient(network)
    one, other = network.open(SERVER), network.open(SERVER)
    outcomes = client.ask([Request(one, SERVER), Request(other, SERVER)])
    assert [outcome.failure for outcome in outcomes] == ["", "no answer"]
    assert client.ignored == BRIEF.tries


def forging(answer: Answer) -> Iterable[Answer]:
    """Everything an attacker may try who sees no requests, and one who does but is elsewhere."""
    lie = ("203.0.113.66", 6666)
    wrong_id = bytes(12)
    true_id = answer.octets[8:20]
    yield answer._replace(octets=success(wrong_id, lie))
    yield answer._replace(source=(C, 3478), octets=success(true_id, lie))
    yield answer._replace(source=(answer.source[0], 9), octets=success(true_id, lie))
    yield answer._replace(octets=success(true_id, lie)[:-1])
    yield answer._replace(octets=success(true_id, ("0.0.0.0", 0)))
    yield answer._replace(octets=answer.octets[:20])
    yield answer._replace(octets=b"")
    yield answer


def test_forged_and_malformed_responses_are_ignored() -> None:
    network = natted("eim/eif", rfc_5780(twist=forging))
    result = check(network)
    requests = len([1 for _, _, destination in network.sent if destination.address != EXTERNAL])
    assert result.udp is not None and result.ignored == 7 * requests
    assert result.udp.mapping.mappings == (Mapping.EIM,)
    assert result.udp.mapping.external == (EXTERNAL,)
    assert result.udp.filtering.filterings == (Filtering.EIF,)


def test_a_server_that_only_answers_wrongly() -> None:
    def cut(answer: Answer) -> Iterable[Answer]:
        return [answer._replace(octets=answer.octets[:24])]

    result = check(natted("eim/eif", rfc_5780(twist=cut)))
    assert result.contact is not None and not result.answered
    assert result.contact.outcomes[SERVER].failure == "answers wrongly: the length field is wrong"


def test_a_server_that_floods() -> None:
    result = check(natted("eim/eif", rfc_5780(twist=lambda answer: [answer] * 500)))
    assert result.udp is not None and result.udp.mapping.mappings == (Mapping.EIM,)


def test_servers_that_know_only_change_request() -> None:
    udp = found(natted("eim/adf", rfc_5780(knows=frozenset({CHANGE_REQUEST}))))
    assert udp.filtering.filterings == (Filtering.ADF,)
