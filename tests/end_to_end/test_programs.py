"""Programs as peers: what others have written must get through as well."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from end_to_end.harness import drops, greet, udp_pair
from end_to_end.programs import run, server
from ratsnake.lab import EXTERNAL, EXTERNAL_2, Topology, nat, traffic_generator
from ratsnake.lab.topology import ROUTER_LAN, ROUTER_NAT

_IPERF_PORT = 5201

Find = Callable[[str], str]


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
@pytest.mark.parametrize("reverse", [False, True], ids=["up", "down"])
def test_iperf3(topology: Topology, program: Find, udp: bool, reverse: bool) -> None:
    iperf3 = program("iperf3")
    remote = topology.remotes[0]
    argv = [iperf3, "-c", remote, "-n", "4M", "-J"]
    argv += ["-u", "-b", "200M"] if udp else []
    argv += ["-R"] if reverse else []
    with (
        nat(topology) as running,
        server(topology.internet, _IPERF_PORT, iperf3, "-s", "-B", remote),
    ):
        report = json.loads(run(topology.hosts[0].namespace, *argv))
        assert "error" not in report
        assert report["end"]["sum" if udp else "sum_sent"]["bytes"] >= 4_000_000
        assert drops(running) == {}


def test_curl_fetches_from_a_webserver(topology: Topology, program: Find, tmp_path: Path) -> None:
    curl = program("curl")
    content = os.urandom(20 << 20)
    (tmp_path / "file").write_bytes(content)
    fetched = tmp_path / "fetched"
    serve = (sys.executable, "-m", "http.server", "-b", topology.remotes[1], "8000")
    with nat(topology), server(topology.internet, 8000, *serve, cwd=tmp_path):
        url = f"http://{topology.remotes[1]}:8000/file"
        run(topology.hosts[0].namespace, curl, "-sSf", "--noproxy", "*", "-o", str(fetched), url)
    assert hashlib.sha256(fetched.read_bytes()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("mode", [(), ("-I",), ("-T",)], ids=["udp", "icmp", "tcp"])
def test_traceroute(topology: Topology, program: Find, mode: tuple[str, ...]) -> None:
    traceroute = program("traceroute")
    with nat(topology):
        out = run(
            topology.hosts[0].namespace, traceroute, "-n", "-q", "1", *mode, topology.remotes[0]
        )
    hops = re.findall(r"^ *\d+ +(\S+)", out, re.MULTILINE)
    assert hops == [ROUTER_LAN, ROUTER_NAT, topology.remotes[0]], out


def test_kernel_masquerade_behind_ours(topology: Topology, program: Find) -> None:
    """Double NAT: the router's own nftables translate once more what ratsnake has translated."""
    rules = f"""
        table ip second {{
          chain postrouting {{
            type nat hook postrouting priority srcnat;
            oifname "wan0" ip saddr {EXTERNAL} snat to {EXTERNAL_2}
          }}
        }}
    """
    nft = program("nft")
    with nat(topology, "full-cone") as running:
        script = topology.router.popen([nft, "-f", "-"], stdin=subprocess.PIPE, text=True)
        script.communicate(rules)
        assert script.returncode == 0
        with udp_pair(topology) as (near, far):
            assert greet(near, far)[0] == EXTERNAL_2
        traffic_generator.download(topology, 32 << 20)
        traffic_generator.upload(topology, 32 << 20)
        assert drops(running) == {}
