"""Trials with TCP: streams (iperf3), and connections opened and closed."""

from __future__ import annotations

import json
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

from . import load_programs
from .contestants import Site
from .load_programs import LoadError
from .tcp_load import Acceptor, Connector

_PORT = 5201
_CLIENTS = 4  # connections under way at once; threads
_TARGETS = 8  # remotes: 28,000 ports toward each are more than a trial needs
_LOOK = struct.pack("@ll", 0, 100_000)  # struct timeval: how often the acceptor may be stopped


def stream(site: Site, seconds: float, streams: int, back: bool) -> dict[str, float]:
    """Gb/s of payload, and the milliseconds of CPU the NAT took for a gigabit ("cpu")."""
    remote = site.topology.remotes[0]
    iperf3 = load_programs.find("iperf3")
    argv = [iperf3, "-c", remote, "-p", str(_PORT), "-J", "-t", str(round(seconds))]
    argv += ["-P", str(streams), *(["-R"] if back else [])]
    serve = [iperf3, "-s", "-p", str(_PORT), "-B", remote]
    with load_programs.server(site.topology.internet, "tcp", _PORT, serve):
        before = site.cpu_seconds()
        told = json.loads(load_programs.output(site.topology.hosts[0].namespace, argv, seconds))
        after = site.cpu_seconds()
    received = told["end"]["sum_received"]
    gigabits = received["bytes"] * 8 / 1e9
    if not gigabits:
        raise LoadError("iperf3: nothing was received")
    result = {"rate": received["bits_per_second"] / 1e9}
    if before is not None and after is not None:
        result["cpu"] = 1000 * (after - before) / gigabits
    return result


def connections(site: Site, seconds: float) -> float:
    """TCP connections made and closed a second; raises `LoadError` when one in 100 fails."""
    remotes = [(address, _PORT) for address in site.topology.remotes[:_TARGETS]]
    connectors = [Connector(remotes[k:] + remotes[:k]) for k in range(_CLIENTS)]
    inside = site.topology.hosts[0].namespace
    with (
        site.topology.internet.socket(kind=socket.SOCK_STREAM) as listener,
        ThreadPoolExecutor(1 + _CLIENTS) as pool,
    ):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports of iperf3 rest
        listener.bind(("0.0.0.0", _PORT))
        listener.listen(4096)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LOOK)
        acceptor = Acceptor(listener)
        serving = pool.submit(acceptor.run)

        def connect(connector: Connector) -> int:
            return inside.run(lambda: connector.run(seconds))

        made = sum(pool.map(connect, connectors))
        acceptor.stop()
        serving.result()
    failed = sum(connector.failures() for connector in connectors)
    if failed * 100 > made:
        raise LoadError(f"{failed} of {failed + made} TCP connections failed")
    return made / seconds
