"""`ratsnake netcheck` behind real NATs, with STUN servers that others wrote.

Most of its time is waiting for packets that do not come; so all labs are at work side by side, in
one test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

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


def labs() -> dict[str, Callable[[], Answer]]:
    dual = {"external": (EXTERNAL, EXTERNAL_6), "internal": (LAN_PREFIX, LAN_PREFIX_6)}
    aging = ["--timeout", f"udp={LIFETIME}"]
    return {
        **{name: partial(behind, partial(nat, nat_type=name)) for name in TYPES},
        "full-cone": partial(
            behind, partial(nat, nat_type="full-cone", arguments=aging), SERVER, "--lifetime", "4"
        ),
        "masquerade": partial(behind, masquerade),
        "no NAT": partial(behind, forward),
        "RFC 3489": partial(behind, partial(nat, nat_type="eim/adf"), program="stund"),
        "IPv6": partial(
            behind, partial(nat, nat_type="full-cone", **dual), SERVER, SERVER_6, ipv6=True
        ),
        "nobody": partial(behind, forward, "198.51.100.3", "nobody.invalid"),
    }


def test_what_is_found(program: Callable[[str], str]) -> None:
    for name in ("turnserver", "stund", "nft"):
        program(name)
    failures = {}
    with ThreadPoolExecutor(len(labs())) as threads:
        answers = {name: threads.submit(lab) for name, lab in labs().items()}
        for name, answer in answers.items():
            try:
                CHECKS.get(name, partial(check_own_nat, name))(*answer.result())
            except Exception as error:
                failures[name] = repr(error)
    assert failures == {}


def check_own_nat(name: str, status: int, answer: dict[str, Any]) -> None:
    (result,) = answer["results"]
    kind = tuple(name.upper().split("/"))
    if name in PRESETS:
        assert name in result["udp"]["types"] and result["udp"]["types_exact"]
        behaviour = PRESETS[name].behaviour
        kind = (behaviour.mapping.name, behaviour.filtering.name)
    assert status == 0
    assert (result["udp"]["mapping"], result["udp"]["filtering"]) == ([kind[0]], [kind[1]])
    assert result["udp"]["hairpinning"] == TYPES[name]
    assert result["udp"]["outside"] == [EXTERNAL]
    assert (result["tcp"]["mapping"], result["tcp"]["outside"]) == ([kind[0]], [EXTERNAL])


def check_full_cone(status: int, answer: dict[str, Any]) -> None:
    check_own_nat("full-cone", status, answer)
    lifetime = answer["results"][0]["udp"]["lifetime"]
    assert lifetime["unknown"] == ""
    # A machine that stands still for a moment may put the end too early, but nothing lives longer.
    assert lifetime["alive"] <= LIFETIME + 0.5 and lifetime["gone"] > lifetime["alive"]


def check_masquerade(status: int, answer: dict[str, Any]) -> None:
    (result,) = answer["results"]
    assert (status, result["udp"]["mapping"], result["udp"]["filtering"]) == (0, ["EIM"], ["APDF"])
    assert (result["udp"]["ports"], result["udp"]["outside"]) == ("preserve", [EXTERNAL])
    assert result["udp"]["types"] == ["port-restricted-cone", "quasi-port-restricted-cone"]
    assert (result["tcp"]["mapping"], result["tcp"]["ports"]) == (["EIM"], "preserve")


def check_no_nat(status: int, answer: dict[str, Any]) -> None:
    (result,) = answer["results"]
    assert (status, result["udp"]["nat"], result["tcp"]["nat"]) == (0, False, False)
    assert result["udp"]["filtering"] == ["EIF"]
    assert result["udp"]["consoles"] == {"switch": ["A"], "playstation": ["1"], "xbox": ["Open"]}


def check_rfc_3489(status: int, answer: dict[str, Any]) -> None:
    (result,) = answer["results"]
    assert (result["udp"]["mapping"], result["udp"]["filtering"]) == (["EIM"], ["ADF"])
    assert (status, result["tcp"]) == (0, None)


def check_ipv6(status: int, answer: dict[str, Any]) -> None:
    found = {result["version"]: result["udp"] for result in answer["results"]}
    outside = {version: udp["outside"] for version, udp in found.items()}
    assert outside == {4: [EXTERNAL], 6: [EXTERNAL_6]}
    for udp in found.values():
        assert (udp["mapping"], udp["filtering"]) == (["EIM"], ["EIF"])


def check_nobody(status: int, answer: dict[str, Any]) -> None:
    assert status == 1
    assert answer["servers"][1]["problem"].startswith("no address")
    (result,) = answer["results"]
    assert result["udp"] is result["tcp"] is None
    assert result["answers"]["udp"][0]["failure"].startswith("ICMP error")


#: By lab; those that are not here are NATs of ours by their types.
CHECKS: dict[str, Callable[[int, dict[str, Any]], None]] = {
    "full-cone": check_full_cone,
    "masquerade": check_masquerade,
    "no NAT": check_no_nat,
    "RFC 3489": check_rfc_3489,
    "IPv6": check_ipv6,
    "nobody": check_nobody,
}
