"""STUN servers that others wrote, in a namespace: coturn (RFC 5780) and stund (RFC 3489)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from end_to_end.harness import readable, until
from ratsnake.lab import Namespace
from ratsnake.stun.stun_message import write_request
from ratsnake.stun.udp_sockets import FAMILIES


@contextmanager
def coturn(
    program: str, namespace: Namespace, addresses: Sequence[str], folder: Path
) -> Iterator[None]:
    """A server at ports 3478 and 3479 of these addresses, for UDP and TCP."""
    options = ["-S", "-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"]
    options += [f"--pidfile={folder}/pid", f"--db={folder}/db"]
    listening = [word for address in addresses for word in ("-L", address)]
    with _started(namespace, [program, *options, *listening], addresses[0]):
        yield


@contextmanager
def stund(program: str, namespace: Namespace, addresses: tuple[str, str]) -> Iterator[None]:
    """A server of the time before RFC 5389, at ports 3478 and 3479 of two addresses."""
    one, other = addresses
    with _started(namespace, [program, "-h", one, "-a", other], one):
        yield


@contextmanager
def _started(namespace: Namespace, command: Sequence[str], address: str) -> Iterator[None]:
    process = namespace.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(namespace, address), f"{command[0]} answers")
        yield
    finally:
        process.kill()
        process.wait()


def _answers(namespace: Namespace, address: str) -> bool:
    with namespace.socket(FAMILIES[6 if ":" in address else 4]) as handle:
        handle.connect((address, 3478))
        try:
            handle.send(write_request(bytes(12)))
            return readable(handle, 0.1) and bool(handle.recv(2000))
        except ConnectionRefusedError:
            return False
