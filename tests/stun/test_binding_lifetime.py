"""How long a mapping lives, as found out from outside; the clock is one of the test's."""

from collections.abc import Iterable

import pytest

from ratsnake.stun.binding_lifetime import Lifetime, measure_lifetime
from ratsnake.stun.stun_client import StunClient
from ratsnake.stun.stun_message import Endpoint
from support.bench import Bench
from support.flavours import load
from support.stun_network import VirtualNetwork
from support.stun_server import CHANGE_REQUEST, Answer, StunServer

A, B = "198.51.100.1", "198.51.100.2"
SERVER = Endpoint(A, 3478)


def network_of(
    seconds: int, preset: str = "port-restricted-cone", **keywords: object
) -> VirtualNetwork:
    bench = Bench(load("compiled"), preset, ports="1024-65535", timeouts={"udp": seconds})
    return VirtualNetwork([StunServer((A, B), **keywords)], lambda port: bench)  # type: ignore[arg-type]


def measured(network: VirtualNetwork, limit: float = 600) -> Lifetime:
    lifetime = measure_lifetime(StunClient(network), SERVER, limit)
    assert network.sockets == {}, "a socket was left open"
    return lifetime


@pytest.mark.parametrize("preset", ["full-cone", "port-restricted-cone", "symmetric"])
@pytest.mark.parametrize("seconds", [2, 30, 120, 180, 300, 599])
def test_the_lifetime_is_found(seconds: int, preset: str) -> None:
    network = network_of(seconds, preset)
    lifetime = measured(network)
    assert lifetime.gone is not None and lifetime.unknown == ""
    assert lifetime.alive <= seconds <= lifetime.gone
    assert lifetime.gone - lifetime.alive <= max(1.5, 0.03 * seconds)
    assert network.time < 3 * seconds + 120


def test_it_is_longer_than_the_limit() -> None:
    network = network_of(300)
    lifetime = measured(network, limit=60)
    assert (lifetime.gone, lifetime.unknown) == (None, "")
    assert lifetime.alive >= 60 and network.time < 80


def test_progress_is_told() -> None:
    told: list[str] = []
    measure_lifetime(StunClient(network_of(10)), SERVER, 30, told.append)
    assert told[0] == "lifetime: idle for 2 s, of at most 30 s in this round"
    assert len(told) > 10


def test_a_server_that_does_not_know_response_port() -> None:
    lifetime = measured(network_of(30, knows=frozenset({CHANGE_REQUEST})))
    assert lifetime.unknown.startswith(f"{SERVER} does not send to another port (RESPONSE-PORT)")
    assert "error 420" in lifetime.unknown


def answering_the_asker_from(seconds: float) -> VirtualNetwork:
    """From then on answers go to whoever asked, whatever RESPONSE-PORT says."""
    network = network_of(600)
    server = network.servers[0]
    original = server.answer

    def answer(octets: bytes, source: tuple[str, int], at: tuple[str, int]) -> list[Answer]:
        answers = original(octets, source, at)
        late = network.time >= seconds
        return [one._replace(destination=source) if late else one for one in answers]

    server.answer = answer  # type: ignore[method-assign]
    return network


def test_a_server_that_ignores_response_port() -> None:
    network = answering_the_asker_from(0)
    assert measured(network).unknown == f"{SERVER} does not send to another port (RESPONSE-PORT)"


def test_an_answer_to_the_asker_means_that_its_mapping_took_the_place() -> None:
    """RFC 5780 section 4.6: the NAT gave the port to the other endpoint."""
    lifetime = measured(answering_the_asker_from(60))
    assert lifetime.unknown == "" and lifetime.gone is not None and lifetime.gone < 80


def test_a_server_that_goes_away() -> None:
    left = iter(range(30))

    def mortal(answer: Answer) -> Iterable[Answer]:
        return [answer] if next(left, None) is not None else []

    lifetime = measured(network_of(30, twist=mortal))
    assert lifetime.unknown == f"{SERVER} has stopped answering"
