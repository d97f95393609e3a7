"""The file in which flows outlive the program: whole, or refused as a whole; and who writes it."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ratsnake.daemon.state import state_file, state_writer
from ratsnake.daemon.state.state_file import FLOW_SIZE, FLOWS_AT, HEADER, Moment, StateError
from ratsnake.daemon.state.state_restore import bring_back
from ratsnake.daemon.state.state_writer import StateWriter
from ratsnake.daemon.user_errors import RunError
from ratsnake.host.processes.user_accounts import Account
from support.bench import INSIDE, R1, SEED, Bench
from support.busy import flows_of
from support.flavours import Engine, load
from support.twin import numbers

THEN = Moment(1_700_000_000_000, 5_000_000, bytes(range(16)))
OURS = (os.geteuid(),)
PATIENCE = 20.0
NOW = 77


def form(mark: int) -> bytes:
    return bytes([mark] * FLOW_SIZE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nat.state"


def reason(path: Path) -> str:
    """Why a file is refused, in a line that names it."""
    with pytest.raises(StateError) as refused:
        state_file.read(path, OURS)
    text = str(refused.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_flows_come_back_with_the_time_they_were_written(path: Path) -> None:
    assert state_file.write(path, [form(1) + form(2), b"", form(3)], THEN) == 3
    assert state_file.read(path, OURS) == state_file.State(
        bytearray(form(1) + form(2) + form(3)), THEN
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_a_flow_is_as_long_as_the_engine_says() -> None:
    assert numbers("nat.handover.flow_record")["FLOW_SIZE"] == FLOW_SIZE


def test_no_file_is_no_state_and_no_flows_are_one(path: Path) -> None:
    assert state_file.read(path, OURS) is None
    assert state_file.write(path, [], THEN) == 0
    assert state_file.read(path, OURS) == state_file.State(bytearray(), THEN)


def test_every_damaged_octet_refuses_the_file(path: Path) -> None:
    state_file.write(path, [form(1) + form(2)], THEN)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        reason(path)


def test_a_file_that_is_cut_or_too_long_is_refused(path: Path) -> None:
    state_file.write(path, [form(1) + form(2)], THEN)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        reason(path)
    for more in (b"x", form(3)):
        path.write_bytes(content + more)
        assert "is damaged: " in reason(path)


def test_a_file_that_speaks_of_more_flows_than_there_can_be_is_refused(path: Path) -> None:
    state_file.write(path, [form(1)], THEN)
    content = bytearray(path.read_bytes())
    content[HEADER.size : HEADER.size + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert "cannot hold the 18446744073709551615 flows" in reason(path)


def test_why_a_file_is_refused(path: Path) -> None:
    state_file.write(path, [form(1)], THEN)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\0")
    assert reason(path) == "is damaged: its checksum is not that of what is in it"
    path.write_text("[nat]\nexternal = []\n")
    assert reason(path) == "is no state file of ratsnake's"
    path.write_bytes(HEADER.pack(state_file.MAGIC, 9, 200, 0) + bytes(FLOWS_AT))
    assert reason(path) == (
        "was written by another version of ratsnake: its form is 9 with 200 octets a flow, not"
        f" {state_file.VERSION} with {FLOW_SIZE}"
    )


def test_what_others_can_write_is_refused(path: Path, tmp_path: Path) -> None:
    """Who could plant flows could open ports to hosts inside."""
    state_file.write(path, [form(1)], THEN)
    path.chmod(0o620)
    assert "may be written by others than this NAT" in reason(path)
    path.chmod(0o600)
    with pytest.raises(StateError, match="may be written by others"):
        state_file.read(path, ())
    link = tmp_path / "link"
    link.symlink_to(path)
    assert "symbolic link" in reason(link)


def test_what_is_no_file_is_refused(path: Path) -> None:
    os.mkfifo(path)
    assert reason(path) == "is no regular file"
    path.unlink()
    path.mkdir()
    reason(path)


def test_a_failure_while_writing_leaves_the_old_file(path: Path) -> None:
    state_file.write(path, [form(1)], THEN)

    def broken() -> Iterator[bytes]:
        yield form(2)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        state_file.write(path, broken(), THEN)
    assert state_file.read(path, OURS) == state_file.State(bytearray(form(1)), THEN)
    assert os.listdir(path.parent) == [path.name]


def test_what_a_killed_run_or_somebody_else_left_is_not_written_to(path: Path) -> None:
    beside = path.with_name(f"{path.name}.new")
    victim = path.with_name("victim")
    victim.write_text("mine")
    beside.symlink_to(victim)
    state_file.write(path, [form(1)], THEN)
    assert victim.read_text() == "mine"
    assert not beside.exists()


def test_time_goes_by_the_uptime_within_a_start_of_the_system_and_else_by_the_clock() -> None:
    other = bytes(16 * [7])
    later = Moment(THEN.clock + 9000, THEN.uptime + 4000, THEN.boot)
    assert later.since(THEN) == 4000
    assert Moment(0, later.uptime, THEN.boot).since(THEN) == 4000
    assert Moment(later.clock, 100, other).since(THEN) == 9000
    assert Moment(THEN.clock - 5, 100, other).since(THEN) == 0
    nowhere = Moment(THEN.clock, 100, state_file.UNKNOWN_BOOT)
    assert Moment(THEN.clock + 7, 9, state_file.UNKNOWN_BOOT).since(nowhere) == 7


def test_now_is_now() -> None:
    first, second = Moment.now(), Moment.now()
    assert first.boot == second.boot
    assert second.since(first) >= 0


# -- the start


def saved(engine: Engine, path: Path, count: int) -> Bench:
    """A NAT with so many flows, which are in the file."""
    bench = Bench(engine)
    for port in range(count):
        bench.open("udp", (INSIDE, 4000 + port), (R1, 53))
    state_file.write(path, [flows_of(engine, bench.nat, 0)], Moment.now())
    return bench


def live(engine: Engine, nat: Any) -> Any:
    """Before its packet loop begins."""
    return engine.LiveNat(nat, engine.PacketLoop(nat, -1, False))


def test_a_start_goes_on_with_the_flows(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    engine = load("compiled")
    bench = saved(engine, path, 3)
    nat = engine.Nat(bench.nat.settings, SEED)
    bring_back(live(engine, nat), path, 100_000)
    rows, _ = nat.session_rows(0, 100, 100_000)
    assert sorted(row[:5] for row in rows) == sorted(row[:5] for row in bench.sessions())
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage() == f"state: {path}, written 0 s ago: 3 of 3 flows go on"


def test_a_start_with_a_file_that_is_refused_warns_once_and_is_empty(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = load("compiled")
    bench = saved(engine, path, 3)
    path.write_bytes(path.read_bytes()[:-1])
    nat = engine.Nat(bench.nat.settings, SEED)
    bring_back(live(engine, nat), path, 100_000)
    assert nat.usage()["sessions"] == 0
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"state: {path}: is damaged: ")
    assert record.getMessage().endswith("; the NAT starts without flows")


def test_a_start_without_memory_for_the_flows_warns_and_is_empty(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load("compiled")
    bench = saved(engine, path, 3)

    def fail(*_: Any) -> int:
        raise MemoryError

    nat = engine.Nat(bench.nat.settings, SEED)
    there = live(engine, nat)
    monkeypatch.setattr(there, "restore", fail)
    bring_back(there, path, 100_000)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"state: {path}: there is no memory to restore its 3 flows; the NAT starts without flows"
    )


def test_a_start_without_a_file_is_no_warning(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = load("compiled")
    bring_back(live(engine, Bench(engine).nat), path, 0)
    assert caplog.records == []


# -- the thread that writes


class Flows:
    """What is read of a NAT; `read` is released each time all flows were asked for."""

    def __init__(self, count: int) -> None:
        self.generation = 0
        self.pages = [form(k) for k in range(count)]
        self.asked: list[tuple[int, int]] = []
        self.read = threading.Semaphore(0)

    def flow_page(self, start: int, count: int, now: int) -> tuple[bytes, int]:
        assert now == NOW
        self.asked.append((start, count))
        following = start + 1 if start + 1 < len(self.pages) else 0
        if not following:
            self.read.release()
        return self.pages[start], following


def test_the_file_is_written_periodically_and_at_the_end(path: Path) -> None:
    flows = Flows(3)
    writer = StateWriter(path, 0.001, flows, lambda: NOW)
    writer.start()
    for _ in range(3):
        assert flows.read.acquire(timeout=PATIENCE)
    flows.pages = [form(9)]
    writer.close()
    state = state_file.read(path, OURS)
    assert state is not None and state.flows == form(9)
    assert flows.asked[:3] == [
        (0, state_writer.PAGE),
        (1, state_writer.PAGE),
        (2, state_writer.PAGE),
    ]


def test_where_another_nat_took_over_the_pages_are_read_anew(path: Path) -> None:
    """Rows of the one before are not to be mixed with those of the other."""

    class Replaced(Flows):
        def flow_page(self, start: int, count: int, now: int) -> tuple[bytes, int]:
            page = super().flow_page(start, count, now)
            if start == 1 and self.generation == 0:
                self.generation = 1
                self.pages = [form(7), form(8), form(9)]
            return page

    writer = StateWriter(path, 1000, Replaced(3), lambda: NOW)
    writer.start()
    writer.close()
    state = state_file.read(path, OURS)
    assert state is not None and state.flows == form(7) + form(8) + form(9)


def test_one_that_was_never_started_writes_nothing(path: Path) -> None:
    StateWriter(path, 1, Flows(1), lambda: NOW).close()
    assert not path.exists()


def test_a_disk_that_stalls_does_not_hold_up_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stalled = threading.Event()

    def stall(*_: object) -> int:
        stalled.wait(PATIENCE)
        return 0

    monkeypatch.setattr(state_writer, "write", stall)
    monkeypatch.setattr(state_writer, "PATIENCE_SECONDS", 0.001)
    monkeypatch.setattr(state_writer, "FAREWELL_SECONDS", 0.002)
    writer = StateWriter(path, 1000, Flows(1), lambda: NOW)
    writer.start()
    writer.close()
    stalled.set()
    assert "takes too long" in caplog.text


def test_a_failure_is_told_once_and_that_it_is_over(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    results = [OSError(28, "No space left on device")] * 2 + [None]
    done = threading.Event()

    def fail(*_: object) -> int:
        result = results.pop(0) if results else None
        if not results:
            done.set()
        if result is not None:
            raise result
        return 0

    monkeypatch.setattr(state_writer, "write", fail)
    writer = StateWriter(path, 0.001, Flows(1), lambda: NOW)
    writer.start()
    assert done.wait(PATIENCE)
    writer.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"state: {path}: No space left on device; flows would not outlive a restart",
        f"state: {path} is written again",
    ]


# -- where it may be written


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "ratsnake" / "state"
    for _ in range(2):
        state_writer.make_folder(path, None)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        state_writer.check_folder(path)


def test_a_folder_whose_own_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "state"
    with pytest.raises(RunError, match=f"--state {path}: {path.parent} cannot be made: No such"):
        state_writer.make_folder(path, None)


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], None]], None]:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")

    def become(what: Callable[[], None]) -> None:
        os.seteuid(65534)
        try:
            what()
        finally:
            os.seteuid(0)

    return become


def test_a_folder_is_made_for_the_user_to_come(
    open_folder: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    path = open_folder / "ratsnake" / "state"
    state_writer.make_folder(path, Account("nobody", 65534, 65534))
    as_nobody(lambda: state_writer.check_folder(path))
    path = open_folder / "state"

    def check() -> None:
        with pytest.raises(RunError) as refused:
            state_writer.check_folder(path)
        assert str(refused.value) == (
            f"--state {path}: user nobody may not write to {open_folder}; chown nobody"
            f" {open_folder}, or"
            " name a file elsewhere"
        )

    as_nobody(check)
