"""Programs that fail, hang or do not serve, in place of iperf3 and sockperf."""

import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ratsnake.bench import load_programs
from ratsnake.bench.load_programs import LoadError


class Here:
    """The test's own namespace, with what is used of `Namespace`."""

    @staticmethod
    def popen(argv: Any, **options: Any) -> "subprocess.Popen[Any]":
        return subprocess.Popen(argv, **options)

    @staticmethod
    def run(function: Callable[[], Any]) -> Any:
        return function()


HERE: Any = Here()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_a_program_prints() -> None:
    assert load_programs.output(HERE, python("print('rate 5')"), 1) == "rate 5\n"


def test_a_failure_is_told_with_the_programs_words() -> None:
    code = "import sys; print('unable to connect', file=sys.stderr); sys.exit(3)"
    with pytest.raises(LoadError, match="ended with status 3: unable to connect"):
        load_programs.output(HERE, python(code), 1)


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_programs, "_PATIENCE", 0.1)
    with pytest.raises(LoadError, match="did not end in 0 s"):
        load_programs.output(HERE, python("import time; time.sleep(1000)"), 0.1)


@pytest.mark.parametrize(("protocol", "kind"), [("tcp", "SOCK_STREAM"), ("udp", "SOCK_DGRAM")])
def test_a_server_is_there_when_it_serves(protocol: str, kind: str) -> None:
    with socket.socket(socket.AF_INET, getattr(socket, kind)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listen = "s.listen();" if protocol == "tcp" else ""
    code = f"import socket,time; s=socket.socket(2, socket.{kind}); "
    code += f"s.bind(('127.0.0.1', {port})); {listen} time.sleep(1000)"
    with (
        load_programs.server(HERE, protocol, port, python(code)),
        socket.socket(socket.AF_INET, getattr(socket, kind)) as client,
    ):
        client.connect(("127.0.0.1", port))


def test_a_server_that_ends_is_told() -> None:
    with (
        pytest.raises(LoadError, match="does not serve at tcp port 1"),
        load_programs.server(HERE, "tcp", 1, python("")),
    ):
        pass
