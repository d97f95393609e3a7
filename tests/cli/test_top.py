"""top: its screens at any size, what changed between two looks, and the terminal itself."""

import copy
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ratsnake.cli.main import main
from ratsnake.cli.top import after
from ratsnake.cli.top_screen import KEYS, NARROW_KEYS, keys, screen
from ratsnake.cli.top_snapshot import Choice, Look, Observer
from ratsnake.daemon.user_errors import RunError
from ratsnake.nat.views.row_tuples import PROTOCOL_NAMES
from support.player import STATUS, Player, shown

LINE = rb"\x1b\[%d(;\d+H|d)"  # the cursor goes there
BOLD = rb"\x1b\[(?:0;)?1m(?:\x1b\[[\d;]+m)*"
SHELL_SIZE = {"LINES": "24", "COLUMNS": "80"}  # as some shells export it
PATIENCE = 20.0  # seconds until a terminal is given up
SIZES = [(80, 24), (120, 40), (60, 24), (40, 12), (20, 3), (5, 1), (200, 100)]


def host(n: int, rate: float | None = 1_000_000.0) -> dict[str, Any]:
    return {"host": f"192.168.1.{n}", "sessions": n, "bytes_out": rate, "bytes_in": rate}


def ports(n: int, used: int) -> dict[str, Any]:
    return {"external": f"203.0.113.{n}", "protocol": "udp", "used": used, "total": 240}


def look(**changes: Any) -> Look:
    known: dict[str, Any] = {
        "status": STATUS,
        "rates": STATUS["rates"],
        "drops": {"filtered": (17, 0.0), "no-port": (3, 1.5), "not-syn": (0, 0.0)},
        "ports": [ports(1, 24), ports(2, 240), ports(3, 0)],
        "hosts": [host(n) for n in range(1, 101)],
    }
    return Look(**{**known, **changes})


def words(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_screen_fits_its_terminal(width: int, height: int) -> None:
    drops = {f"reason-{n}": (n, 1.0) for n in range(1, 40)}
    for one in (look(), look(hosts=[], ports=[], drops={}), look(drops=drops, rates=None)):
        lines = screen(one, Choice(host="2001:db8::/32"), width, height)
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        assert lines[-1] == keys(width)


def test_what_is_on_a_screen() -> None:
    lines = words(screen(look(), Choice(protocol="udp", host="192.168.1.0/24"), 80, 24))
    assert lines[0] == "ratsnake 0.1.0 on ratsnake, up 2h only 192.168.1.0/24 udp"
    assert lines[1] == "out 9.6Mbit/s 1234 packets/s in 96bit/s 0 packets/s"
    assert lines[2] == "sessions 131072 (50 %, 41 new/s) mappings 12 (0 %, 3 new/s) hosts 7"
    assert lines[4:6] == ["HOST SESSIONS *OUT bit/s IN bit/s", "192.168.1.1 1 8.0M 8.0M"]
    table = lines.index("PORTS OF PROTOCOL USED OF %")
    assert lines[table + 1] == "203.0.113.2 udp 240 240 100"
    assert lines[table + 2] == "203.0.113.1 udp 24 240 10"
    drops = lines.index("DROPPED /s IN ALL BECAUSE")
    assert lines[drops + 1 : drops + 3] == [
        "no-port 1.5 3 no external port is free for this flow",
        "filtered 0.0 17 inbound from a remote the filter refuses",
    ]


def test_no_column_is_lost_in_60_columns() -> None:
    wide = words(screen(look(), Choice(), 80, 40))
    narrow = words(screen(look(), Choice(), 60, 40))
    for name in ("HOST SESSIONS *OUT bit/s IN bit/s", "PORTS OF PROTOCOL USED OF %"):
        at, there = narrow.index(name), wide.index(name)
        assert narrow[at : at + 3] == wide[there : there + 3]
    assert narrow[1:3] == ["out 9.6Mbit/s 1234 packets/s", "in 96bit/s 0 packets/s"]
    assert narrow[3:5] == ["sessions 131072 (50 %, 41 new/s)", "mappings 12 (0 %, 3 new/s) hosts 7"]


def test_what_is_cut_says_so() -> None:
    long = "2001:db8:1234:5678:9abc:def0:1234:5678"
    one = look(hosts=[{**host(1), "host": long}])
    (row,) = (line for line in screen(one, Choice(), 60, 24) if line.startswith("2001:"))
    assert row.split() == ["2001:db8:1234…f0:1234:5678", "1", "8.0M", "8.0M"]
    assert len(row) == 60
    assert any(line.startswith(long) for line in screen(one, Choice(), 80, 24))
    assert screen(one, Choice(), 40, 5)[0].rstrip().endswith("up 2h")
    assert screen(one, Choice(), 20, 5)[0] == "ratsnake 0.1.0 on r…"
    assert screen(one, Choice(), 20, 5, "a message that is long")[-1] == "a message that is l…"


@pytest.mark.parametrize(
    ("width", "text"), [(80, KEYS), (60, NARROW_KEYS[0]), (45, NARROW_KEYS[1]), (9, "q quit")]
)
def test_the_keys_are_told_as_well_as_there_is_room(width: int, text: str) -> None:
    assert keys(width) == text
    assert keys(4) == ""


def test_the_keys_in_60_columns_are_all_there() -> None:
    letters = re.findall(r"(?:^|  )(\w+) ", KEYS)
    assert set(letters) <= set(NARROW_KEYS[0].split())


def test_what_a_drop_means_is_cut_between_words() -> None:
    long = look(drops={"not-syn": (1, 0.0)})
    (line,) = (line for line in screen(long, Choice(), 80, 24) if line.startswith("not-syn"))
    assert line.endswith("  a TCP, DCCP or SCTP packet of no ...")
    (line,) = (line for line in screen(long, Choice(), 120, 24) if line.startswith("not-syn"))
    assert line.endswith(" that does not open one")


def test_what_is_not_known_yet_is_a_dash() -> None:
    lines = words(screen(look(rates=None, hosts=[host(1, None)]), Choice("sessions"), 80, 24))
    assert lines[1] == "out - in -"
    assert "HOST *SESSIONS OUT bit/s IN bit/s" in lines
    assert "192.168.1.1 1 - -" in lines


def test_the_hosts_get_what_the_others_leave() -> None:
    def count(one: Look, height: int) -> int:
        return sum(line.startswith("192.168.1.") for line in screen(one, Choice(), 80, height))

    assert count(look(), 24) == 9
    assert count(look(), 60) == 45
    assert count(look(ports=[], drops={}), 24) == 13
    many = {f"reason-{n}": (n, 1.0) for n in range(1, 40)}
    assert count(look(drops=many), 24) == 7
    few = words(screen(look(hosts=[host(1)], drops=many), Choice(), 80, 24))
    assert sum(line.startswith("reason-") for line in few) == 10


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_those_between_two_looks(player: Player) -> None:
    later = copy.deepcopy(STATUS)
    later["counters"]["outbound"]["packets"] += 500
    later["counters"]["dropped"]["filtered"] += 10
    player.answers = {"hosts": [host(1)], "ports": [ports(1, 5)], "status": [STATUS]}
    clock = Clock()
    observer = Observer(player.path, clock)
    choice = Choice("sessions", "192.168.1.0/24", "udp")
    first = observer.look(choice)
    assert first.rates == STATUS["rates"]
    assert first.drops["filtered"] == (17, 0.0)
    assert (first.hosts, first.ports) == ([host(1)], [ports(1, 5)])
    wanted = {"host": "192.168.1.0/24", "protocol": "udp"}
    assert player.asked[0] == {"command": "hosts", "by": "sessions", "limit": 100, **wanted}
    assert player.asked[1]["protocol"] == "udp"
    assert "host" not in player.asked[1]
    player.answers["status"] = [later]
    clock.now += 2
    second = observer.look(choice)
    assert second.rates is not None
    assert second.rates["outbound"]["packets"] == 250.0
    assert second.drops["filtered"] == (27, 5.0)


def test_a_nat_started_anew_has_no_rates_below_nothing(player: Player) -> None:
    fresh = copy.deepcopy(STATUS)
    fresh["counters"]["outbound"]["packets"] = 0
    player.answers = {"hosts": [], "ports": [], "status": [STATUS]}
    clock = Clock()
    observer = Observer(player.path, clock)
    observer.look(Choice())
    player.answers["status"] = [fresh]
    clock.now += 2
    assert observer.look(Choice()).rates == STATUS["rates"]
    player.answers["status"] = []
    with pytest.raises(RunError, match="0 status objects"):
        observer.look(Choice())


def test_every_protocol_has_its_turn() -> None:
    seen = [""]
    while len(seen) == 1 or seen[-1]:
        seen.append(after(seen[-1]))
    assert seen == ["", *PROTOCOL_NAMES, ""]


def test_once(
    player: Player, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    player.answers = {"hosts": [host(1)], "ports": [ports(1, 5)], "status": [STATUS]}
    text = shown(player, capsys, "top", "--once", "--interval", "3")
    assert waited == [3.0]
    assert "192.168.1.1 " in text
    assert KEYS not in text and not text.endswith("\n\n")
    assert len([request for request in player.asked if request["command"] == "hosts"]) == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "top needs a terminal; --once prints one screen without"),
        (("--interval", "0.1"), "--interval 0.1: must be a number of seconds from 0.5 to 60"),
        (("--interval", "soon"), "--interval soon: must be a number of seconds"),
        (("--interval", "nan"), "--interval nan: must be a number of seconds"),
        (("--sort", "byte"), "--sort byte: must be one of bytes, sessions; did you mean bytes?"),
        (("--host", "nobody"), "--host nobody: must be an IPv4 or IPv6 prefix"),
    ],
)
def test_mistakes(argv: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", *argv]) == 2
    assert message in capsys.readouterr().err


class Terminal:
    """`ratsnake top` in a terminal of its own."""

    def __init__(self, player: Player, term: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(80, 24)

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "ratsnake", "top", "--control", player.path],
            stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": term, **SHELL_SIZE},
            start_new_session=True, preexec_fn=take_terminal,
        )  # fmt: skip
        os.close(slave)
        self.text = b""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))

    def type(self, text: str) -> None:
        self.text = b""
        os.write(self.master, text.encode())

    def await_text(self, pattern: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            assert select.select([self.master], [], [], deadline - time.monotonic())[0], self.text
            try:
                self.text += os.read(self.master, 65536)
            except OSError:  # the other side has been closed
                pytest.fail(f"{pattern!r} not in {self.text!r}")

    def end(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def terminal(player: Player, term: str = "xterm") -> Iterator[Terminal]:
    started = Terminal(player, term)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        os.close(started.master)


def test_a_terminal(player: Player) -> None:
    player.answers = {"hosts": [host(1)], "ports": [ports(1, 5)], "status": [STATUS]}
    with terminal(player) as top:
        top.await_text(b"192.168.1.1")
        top.await_text(LINE % 24)
        top.await_text(KEYS.encode() + b" {%d}" % (79 - len(KEYS)))  # the bar goes to the edge
        for heading in (b"HOST", b"PORTS OF", b"DROPPED"):
            assert re.search(BOLD + heading, top.text)
            assert not re.search(BOLD + b"192", top.text)
        top.type("p")
        top.await_text(b"only tcp")
        top.type("h")
        top.await_text(b"only hosts of this prefix")
        top.type("10.0.0.1/8\n")
        top.await_text(rb"did you mean 10\.0\.0\.0/8")
        top.type("h10.0.0.0/8\n")
        top.await_text(b"only 10.0.0.0/8")
        top.text = b""
        top.resize(120, 40)
        top.await_text(LINE % 40)
        top.type("r")
        top.type("q")
        assert top.end() == 0
    hosts = [request for request in player.asked if request["command"] == "hosts"]
    assert {"host": "10.0.0.0/8", "protocol": "tcp"}.items() <= hosts[-2].items()
    assert "host" not in hosts[-1]


def test_a_terminal_that_cannot_show_it(player: Player) -> None:
    player.answers = {"hosts": [], "ports": [], "status": [STATUS]}
    with terminal(player, "unheard-of") as top:
        top.await_text(b"error: this terminal will not do")
        assert top.end() == 1
