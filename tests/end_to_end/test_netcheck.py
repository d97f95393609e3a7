"""`ratsnake netcheck` behind real NATs, with STUN servers that others wrote.

Most of its time is waiting for packets that do not come; so all labs are at work side by side.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from end_to_end.stun_programs import coturn, stund
from ratsnake.lab import EXTERNAL, EXTERNAL_6, Topology, masquerade, nat
from ratsnake.lab.router_nat import forward
from ratsnake.lab.topology import LAN_PREFIX, LAN_PREFIX_6
from ratsnake.nat.rules.behaviour import PRESETS

Gateway = Callable[[Topology], AbstractContextManager[Any]]
Answer = tuple[int, dict[str, Any]]

SERVER, SERVER_6 = "198.51.100.1", "2001:db8:2::1"
#: Type as `ratsnake run --nat` has it: what is to be found, and who hairpins to whom.
TYPES = {
    "full-cone": "unasked",
    "eim/adf": "answered",
    "symmetric-address": "no",
    "adm/eif": "unasked",
    "symmetric": "no",
}
LIFETIME = 3  # seconds, of the full cone


def ask(topology: Topology, *arguments: str) -> Answer:
    """What `ratsnake netcheck` on a LAN host says, without any privilege."""
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable]
    command += ["-m", "ratsnake", "netcheck", "--json", *arguments]
    process = topology.hosts[0].namespace.popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    output = process.communicate(timeout=120)[0]
    return process.returncode, json.loads(output)


def behind(
    gateway: Gateway, *arguments: str, ipv6: bool = False, program: str = "turnserver"
) -> Answer:
    """netcheck in a lab of its own; `program` is the server that it asks."""
    with tempfile.TemporaryDirectory() as folder, Topology(ipv6=ipv6) as topology:
        addresses = list(topology.remotes_of(4)[:2])
        if program == "stund":
            server = stund(program, topology.internet, (addresses[0], addresses[1]))
        else:
            addresses += topology.remotes_of(6)[:2] if ipv6 else ()
            server = coturn(program, topology.internet, addresses, Path(folder))
        with server, gateway(topology):
            return ask(topology, *arguments or [SERVER])


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Future[Answer]]]:
    dual = {"external": (EXTERNAL, EXTERNAL_6), "internal": (LAN_PREFIX, LAN_PREFIX_6)}
    aging = ["--timeout", f"udp={LIFETIME}"]
    wanted = {
        **{name: partial(behind, partial(nat, nat_type=name)) for name in TYPES},
        "full-cone": partial(
            behind, partial(nat, nat_type="full-cone", arguments=aging), SERVER, "--lifetime", "4"
        ),
        "masquerade": partial(behind, masquerade),
        "no NAT": partial(behind, forward),
        "stund": partial(behind, partial(nat, nat_type="eim/adf"), program="stund"),
        "IPv6": partial(
            behind, partial(nat, nat_type="full-cone", **dual), SERVER, SERVER_6, ipv6=True
        ),
        "nobody": partial(behind, forward, "198.51.100.3", "nobody.invalid"),
    }
    with ThreadPoolExecutor(len(wanted)) as threads:
        yield {name: threads.submit(what) for name, what in wanted.items()}


@pytest.fixture(autouse=True)
def installed(program: Callable[[str], str]) -> None:
    for name in ("turnserver", "stund", "nft"):
        program(name)


@pytest.mark.parametrize("name", TYPES)
def test_our_own_nat(answers: dict[str, Future[Answer]], name: str) -> None:
    status, answer = answers[name].result()
    (result,) = answer["results"]
    if name in PRESETS:
        assert name in result["udp"]["types"] and result["udp"]["types_exact"]
        behaviour = PRESETS[name].behaviour
        kind = (behaviour.mapping.name, behaviour.filtering.name)
    else:
        kind = tuple(name.upper().split("/"))
    assert (status, result["udp"]["mapping"], result["udp"]["filtering"]) == (
        0,
        [kind[0]],
        [kind[1]],
    )
    assert result["udp"]["hairpinning"] == TYPES[name]
    assert result["udp"]["outside"] == [EXTERNAL]
    assert (result["tcp"]["mapping"], result["tcp"]["outside"]) == ([kind[0]], [EXTERNAL])


def test_the_kernels_nat(answers: dict[str, Future[Answer]]) -> None:
    status, answer = answers["masquerade"].result()
    (result,) = answer["results"]
    assert (status, result["udp"]["mapping"], result["udp"]["filtering"]) == (0, ["EIM"], ["APDF"])
    assert (result["udp"]["ports"], result["udp"]["outside"]) == ("preserve", [EXTERNAL])
    assert result["udp"]["types"] == ["port-restricted-cone", "quasi-port-restricted-cone"]
    assert (result["tcp"]["mapping"], result["tcp"]["ports"]) == (["EIM"], "preserve")


def test_no_nat(answers: dict[str, Future[Answer]]) -> None:
    _, answer = answers["no NAT"].result()
    (result,) = answer["results"]
    assert not result["udp"]["nat"] and not result["tcp"]["nat"]
    assert result["udp"]["filtering"] == ["EIF"]
    assert result["udp"]["consoles"] == {"switch": ["A"], "playstation": ["1"], "xbox": ["Open"]}


def test_a_server_of_rfc_3489(answers: dict[str, Future[Answer]]) -> None:
    _, answer = answers["stund"].result()
    (result,) = answer["results"]
    assert (result["udp"]["mapping"], result["udp"]["filtering"]) == (["EIM"], ["ADF"])
    assert result["tcp"] is None


def test_both_versions_of_ip(answers: dict[str, Future[Answer]]) -> None:
    _, answer = answers["IPv6"].result()
    found = {result["version"]: result["udp"] for result in answer["results"]}
    assert {version: udp["outside"] for version, udp in found.items()} == {
        4: [EXTERNAL],
        6: [EXTERNAL_6],
    }
    for udp in found.values():
        assert (udp["mapping"], udp["filtering"]) == (["EIM"], ["EIF"])


def test_the_lifetime(answers: dict[str, Future[Answer]]) -> None:
    _, answer = answers["full-cone"].result()
    lifetime = answer["results"][0]["udp"]["lifetime"]
    assert lifetime["unknown"] == ""
    assert lifetime["alive"] <= LIFETIME + 1 and lifetime["gone"] >= LIFETIME


def test_nobody_answers(answers: dict[str, Future[Answer]]) -> None:
    status, answer = answers["nobody"].result()
    assert status == 1
    assert answer["servers"][1]["problem"].startswith("no address")
    (result,) = answer["results"]
    assert result["udp"] is result["tcp"] is None
    assert result["answers"]["udp"][0]["failure"].startswith("ICMP error")
