"""Deterministic NAT at work (RFC 7422): whose a port is follows from the settings alone."""

from ipaddress import ip_address
from typing import Any

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, Site
from support.wire import WITH_PORTS

EXTERNALS: dict[str, str | None] = {
    "203.0.113.1": "2000-2039,4000-4039",
    "203.0.113.2": "3000-3099",
    "203.0.113.3": "1000-1100",
}
# 48 hosts on three addresses: 16 an address, five ports a host.
INTERNAL = ("192.168.1.0/27", "192.168.9.16/28")
HOSTS = [f"192.168.1.{n}" for n in range(32)] + [f"192.168.9.{n}" for n in range(16, 32)]
WAYS = pytest.mark.parametrize(
    "way",
    [
        "eim/eif",
        "eim/apdf+preserve",
        "eim/apdf+parity",
        "apdm/apdf+sequential",
        "apdm/apdf+overload+sticky",
        "apdm/apdf+distinct+sequential+parity",
    ],
)
FAR = V4.remotes[0]


def site_of(engine: Engine, way: str = "eim/apdf", **more: Any) -> Site:
    given = {"externals": EXTERNALS, "internal": INTERNAL, "deterministic": True, **more}
    return Site(engine, way, **given)


def table(site: Site) -> Any:
    """What tells a port's host later: computed from the settings, with no look at the NAT."""
    return site.engine.modules["nat.settings.deterministic_nat_factory"].deterministic_table(
        site.settings
    )


def remote(protocol: str, number: int = 0) -> Endpoint:
    return V4.remotes[number], 0 if protocol == "icmp" else 80


def subscriber(site: Site, external: Endpoint) -> str:
    return str(table(site).subscriber_of(ip_address(external[0]), external[1]))


@WAYS
def test_every_port_that_is_given_is_the_hosts_by_computation(engine: Engine, way: str) -> None:
    site = site_of(engine, way)
    for host in HOSTS:
        for protocol in WITH_PORTS:
            for n in range(5):
                external = site.open(protocol, (host, 1000 * n + 7), remote(protocol))
                assert subscriber(site, external) == host


@WAYS
def test_all_ports_of_a_host_are_found_and_then_it_is_refused(engine: Engine, way: str) -> None:
    site = site_of(engine, way)
    for host in HOSTS:
        address, ranges = table(site).ports_of(ip_address(host))
        permitted = {
            (str(address), port) for first, last in ranges for port in range(first, last + 1)
        }
        assert len(permitted) == 5
        assert {site.open("udp", (host, 4000 + n), (FAR, 80)) for n in range(5)} == permitted
        assert site.attempt("udp", (host, 5000), (FAR, 80)) == "no-port"
    # Each protocol has the ports for itself.
    assert site.attempt("tcp", (HOSTS[0], 5000), (FAR, 80)) == "translated"


def test_all_external_addresses_have_their_part(engine: Engine) -> None:
    site = site_of(engine)
    used = [site.open("udp", (host, 1), (FAR, 80))[0] for host in HOSTS]
    assert used == ["203.0.113.1"] * 16 + ["203.0.113.2"] * 16 + ["203.0.113.3"] * 16


def test_a_port_block_is_the_number_of_ports_each_host_has(engine: Engine) -> None:
    site = site_of(engine, port_block=2)
    for host in HOSTS:
        given = {site.open("udp", (host, 1 + n), (FAR, 80)) for n in range(2)}
        assert {subscriber(site, external) for external in given} == {host}
        assert site.attempt("udp", (host, 9), (FAR, 80)) == "no-port"


def test_overloaded_ports_stay_the_hosts(engine: Engine) -> None:
    site = site_of(engine, "apdm/apdf+overload")
    for n in range(60):
        for host in HOSTS[:3]:
            external = site.open("udp", (host, 4000 + n), remote("udp", n))
            assert subscriber(site, external) == host


def test_another_seed_and_another_start_change_nothing(engine: Engine) -> None:
    """Ports of a host are the same set for ever; that is what spares the log."""
    site, other = site_of(engine), site_of(engine)
    other.nat = engine.Nat(other.settings, bytes(range(9, 89)))
    for host in HOSTS[::7]:
        given = [{s.open("udp", (host, 1 + n), (FAR, 80)) for n in range(5)} for s in (site, other)]
        assert given[0] == given[1]


def test_ports_that_expire_are_had_again(engine: Engine) -> None:
    site = site_of(engine, timeouts={"udp": 60})
    for turn in range(3):
        for n in range(5):
            site.open("udp", (HOSTS[0], 100 * turn + n), (FAR, 80))
        assert site.attempt("udp", (HOSTS[0], 99), (FAR, 80)) == "no-port"
        site.now += 60_000


def test_a_port_of_a_static_forward_is_not_given(engine: Engine) -> None:
    forward = f"tcp:203.0.113.1:2000-2003={HOSTS[0]}"
    site = site_of(engine, forwards=(forward,))
    assert site.open("tcp", (HOSTS[0], 1), (FAR, 80)) == ("203.0.113.1", 2004)
    assert site.attempt("tcp", (HOSTS[0], 2), (FAR, 80)) == "no-port"
    assert len({site.open("udp", (HOSTS[0], 1 + n), (FAR, 80)) for n in range(5)}) == 5


def test_a_port_of_one_host_cannot_lead_to_another(engine: Engine) -> None:
    """Who has a port could not be computed any more."""
    with pytest.raises(ValueError, match=f"forward: .* port 2000 is {HOSTS[0]}'s; right is one of"):
        site_of(engine, forwards=(f"tcp:203.0.113.1:2000-2003={HOSTS[20]}",))


def test_gre_goes_out_by_the_hosts_address(engine: Engine) -> None:
    site = site_of(engine)
    for host in (HOSTS[0], HOSTS[20], HOSTS[40]):
        by_udp = site.open("udp", (host, 1), (FAR, 80))[0]
        assert site.open("gre", (host, 0), (FAR, 0))[0] == by_udp
