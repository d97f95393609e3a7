"""One NAT only for a state file."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ratsnake.daemon.state.state_file_lock import StateLock
from ratsnake.daemon.user_errors import RunError
from ratsnake.host.processes.forked_call import in_child
from ratsnake.host.processes.user_accounts import Account

NOBODY = Account("nobody", 65534, 65534)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become others")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def taken(path: Path, user: Account | None = None) -> str:
    """Why another process is refused, "" if it is not."""

    def take() -> str:
        try:
            StateLock(path, "nat1", user).close()
        except RunError as error:
            return str(error)
        return ""

    return in_child(take)


class Holder:
    """Another process, which holds it until it is killed."""

    def __init__(self, path: Path, also: Callable[[], None] = lambda: None) -> None:
        reader, writer = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            lock = StateLock(path, "nat0", None)
            also()
            os.write(writer, b"!")
            signal.pause()
            lock.close()
            os._exit(0)
        assert os.read(reader, 1) == b"!"
        os.close(reader)
        os.close(writer)

    def kill(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def test_a_second_one_is_told_who_has_it(path: Path) -> None:
    holder = Holder(path)
    for _ in range(2):
        assert taken(path) == (
            f"--state {path}: is another NAT's (device nat0, process {holder.process}), which still"
            " runs; stop that, or give each a file of its own"
        )
    holder.kill()


def test_one_that_was_killed_does_not_matter(path: Path) -> None:
    Holder(path).kill()
    assert taken(path) == ""


def test_what_it_has_forked_has_no_share_in_it(path: Path) -> None:
    """The process that undoes outlives it for a moment."""
    reader, writer = os.pipe()

    def fork() -> None:
        if os.fork() == 0:
            os.close(reader)
            signal.pause()

    holder = Holder(path, fork)
    (child,) = Path(f"/proc/{holder.process}/task/{holder.process}/children").read_text().split()
    holder.kill()
    assert taken(path) == ""
    os.kill(int(child), signal.SIGKILL)
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_the_file_of_flows_may_come_and_go_meanwhile(path: Path) -> None:
    holder = Holder(path)
    path.write_text("flows")
    path.unlink()
    assert "another NAT's" in taken(path)
    assert taken(path.with_name("other")) == ""
    holder.kill()


def test_by_another_way_to_the_folder_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    holder = Holder(tmp_path / "folder" / "state")
    assert "another NAT's" in taken(tmp_path / "link" / "state")
    holder.kill()


@as_root
def test_it_is_the_users_to_come_and_holds_when_privileges_are_given_up(path: Path) -> None:
    path.parent.chmod(0o755)
    lock = StateLock(path, "nat0", NOBODY)
    found = lock.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 65534, 0o600)
    assert "another NAT's" in taken(path, NOBODY)
    lock.close()
    assert taken(path, NOBODY) == taken(path) == ""


@as_root
def test_what_others_have_put_there_is_not_written_to(path: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("gold")
    lock = path.with_name("state.lock")
    for put in (
        lambda: lock.symlink_to(precious),
        lambda: lock.hardlink_to(precious),
        lambda: os.mkfifo(lock),
    ):
        put()
        assert str(lock) in taken(path)
        lock.unlink()
    assert precious.read_text() == "gold"
    assert precious.stat().st_uid == 0


@as_root
def test_a_lock_file_of_roots_is_told_to_who_may_not_open_it(open_folder: Path) -> None:
    path = open_folder / "state"
    StateLock(path, "nat0", None).close()
    open_folder.chmod(0o777)

    def take() -> str:
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(RunError) as caught:
            StateLock(path, "nat1", None)
        return str(caught.value)

    assert "state.lock is another user's; if no NAT of that user runs, remove it" in in_child(take)
