"""Programs as peers: what others have written must get through as well."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from end_to_end.harness import DEADLINE, drops, greet, udp_pair, until
from ratsnake.lab import EXTERNAL, Namespace, Topology, nat, traffic
from ratsnake.lab.topology import ROUTER_LAN, ROUTER_NAT, ROUTER_WAN

_OUTER = "203.0.113.2"
_IPERF_PORT = 5201

Find = Callable[[str], str]


def _run(namespace: Namespace, *argv: str) -> str:
    """What a program prints; its failure is the test's."""
    process = namespace.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        out: str = process.communicate(timeout=2 * DEADLINE)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, f"{argv}: {out}"
    return out


@contextmanager
def _server(namespace: Namespace, port: int, *argv: str, **options: Any) -> Iterator[None]:
    """A program that serves at a TCP port, from when it listens."""
    process = namespace.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    listening = re.compile(rf"^ *\d+: [0-9A-F]{{8,32}}:{port:04X} \S+ 0A ", re.MULTILINE)

    def is_there() -> bool:
        assert process.poll() is None, f"{argv} ended"
        tables = ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6")
        return namespace.run(
            lambda: any(
                listening.search(Path(table).read_text())
                for table in tables
                if os.path.exists(table)
            )
        )

    try:
        until(is_there, f"{argv[0]} listens")
        yield
    finally:
        process.kill()
        process.wait()


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
        _server(topology.internet, _IPERF_PORT, iperf3, "-s", "-B", remote),
    ):
        report = json.loads(_run(topology.hosts[0].namespace, *argv))
        assert "error" not in report
        assert report["end"]["sum" if udp else "sum_sent"]["bytes"] >= 4_000_000
        assert drops(running) == {}


def test_curl_fetches_from_a_web_server(topology: Topology, program: Find, tmp_path: Path) -> None:
    curl = program("curl")
    content = os.urandom(20 << 20)
    (tmp_path / "file").write_bytes(content)
    fetched = tmp_path / "fetched"
    serve = (sys.executable, "-m", "http.server", "-b", topology.remotes[1], "8000")
    with nat(topology), _server(topology.internet, 8000, *serve, cwd=tmp_path):
        url = f"http://{topology.remotes[1]}:8000/file"
        _run(topology.hosts[0].namespace, curl, "-sSf", "--noproxy", "*", "-o", str(fetched), url)
    assert hashlib.sha256(fetched.read_bytes()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("mode", [(), ("-I",), ("-T",)], ids=["udp", "icmp", "tcp"])
def test_traceroute(topology: Topology, program: Find, mode: tuple[str, ...]) -> None:
    traceroute = program("traceroute")
    with nat(topology):
        out = _run(
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
            oifname "wan0" ip saddr {EXTERNAL} snat to {_OUTER}
          }}
        }}
    """
    nft = program("nft")
    with topology.internet.netlink() as netlink:
        netlink.route("add", dst=f"{_OUTER}/32", gateway=ROUTER_WAN)
    with nat(topology, "full-cone") as running:
        script = topology.router.popen([nft, "-f", "-"], stdin=subprocess.PIPE, text=True)
        script.communicate(rules)
        assert script.returncode == 0
        with udp_pair(topology) as (near, far):
            assert greet(near, far)[0] == _OUTER
        traffic.download(topology, 32 << 20)
        traffic.upload(topology, 32 << 20)
        assert drops(running) == {}
