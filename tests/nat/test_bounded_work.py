"""No packet makes the engine work for long: the last free port is found as fast as the first."""

from itertools import product
from typing import Any

import pytest

from support.flavours import load
from support.packets import Endpoint
from support.site import V4, Site
from support.wire import packet
from support.work import lines_run

HOST = V4.hosts[0]
REMOTE = (V4.remotes[0], 80)
WAYS = [
    f"apdm/apdf+{sharing}+{selection}{parity}"
    for sharing, selection, parity in product(
        ("exclusive", "overload", "distinct"),
        ("preserve", "random", "sequential"),
        ("", "+parity"),
    )
]
# 640 ports: of each parity enough to fill words.
SETS: dict[str, dict[str, Any]] = {
    "a range": {"ports": "2000-2639"},
    "ranges": {"ports": ",".join(f"{n}-{n + 15}" for n in range(4096, 44096, 1000))},
    "blocks": {"ports": "2000-2639", "port_block": 160},
    "computed": {
        "externals": {V4.external: "2000-3279"},
        "internal": (f"{HOST}/31",),
        "deterministic": True,
    },
}


def work(site: Site, source: Endpoint, remote: Endpoint, expected: str) -> int:
    """The lines of Python run for a packet from inside."""
    buffer = bytearray(packet("udp", source, remote))
    codes: list[int] = []
    count = lines_run(lambda: codes.append(site.nat.translate(buffer, site.now)))
    assert site.engine.REASONS[codes[0]].name == expected
    return count


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("way", WAYS)
def test_the_last_free_port_takes_as_little_work_as_the_first(way: str, kind: str) -> None:
    """On the source, whose lines can be counted.

    Toward one remote every port is taken by one endpoint each; distinct ports by one endpoint
    toward many remotes.  Both may have had flows before, so that sequential ports go on from one.
    """
    limits = {"mappings": 2048, "sessions": 2048, "icmp_errors": 0}
    site = Site(load("interpreted"), way, limits=limits, **SETS[kind])
    flows = [((HOST, 3000 + 2 * n), REMOTE) for n in range(1280)]
    if "distinct" in way:
        flows = [((HOST, 3000), (REMOTE[0], 80 + n)) for n in range(1280)]
    # Ports of one parity are half of them; the others follow, and cost no more either.
    first = work(site, *flows[0], "translated")
    for n, flow in enumerate(flows[1:639]):
        if n == 318:
            assert work(site, *flow, "translated") < 4 * first
        else:
            site.open("udp", *flow)
    assert work(site, *flows[639], "translated") < 4 * first
    assert work(site, *flows[640], "no-port") < 6 * first


@pytest.mark.parametrize(("others", "expected"), [(319, "translated"), (320, "no-port")])
def test_a_host_and_a_remote_that_only_together_use_up_all_ports_cost_a_look_at_each_word(
    others: int, expected: str
) -> None:
    limits = {"mappings": 2048, "sessions": 2048, "icmp_errors": 0}
    way = "apdm/apdf+distinct+random"
    site = Site(load("interpreted"), way, ports="2000-2639", limits=limits)
    own = [site.open("udp", (HOST, 3000), (REMOTE[0], 1000 + n))[1] for n in range(320)]
    theirs = [site.open("udp", (V4.hosts[1], 3000 + n), REMOTE)[1] for n in range(others)]
    assert len({*own, *theirs}) == 320 + others
    assert work(site, (HOST, 3000), REMOTE, expected) < 4000


def test_many_full_addresses_are_soon_passed_over() -> None:
    externals: dict[str, str | None] = {f"203.0.113.{n}": "2000" for n in range(1, 101)}
    limits = {"mappings": 2048, "sessions": 2048, "icmp_errors": 0}
    site = Site(load("interpreted"), externals=externals, pooling="arbitrary", limits=limits)
    first = work(site, (HOST, 3000), REMOTE, "translated")
    for n in range(1, 99):
        site.open("udp", (HOST, 3000 + n), REMOTE)
    assert work(site, (HOST, 4000), REMOTE, "translated") < 100 * 12 + 2 * first
    assert work(site, (HOST, 4001), REMOTE, "no-port") < 2 * (100 * 12 + 2 * first)
