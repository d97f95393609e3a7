"""The service manager's side of the notifications, played by a socket of the test's."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ratsnake.daemon.periodic_task import PeriodicTask
from ratsnake.daemon.sd_notify import LONGEST_WAIT, STILL_ALIVE_SECONDS, ServiceManager


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Manager:
    """The end of the socket that the manager reads."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(address)

    def heard(self) -> list[str]:
        """The lines of the next datagram; none if there is no more."""
        try:
            return self.socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return []


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def manager(path: str) -> Iterator[Manager]:
    manager = Manager(path)
    with closing(manager.socket):
        yield manager


def test_fields_are_lines_of_one_datagram(manager: Manager, path: str) -> None:
    environment = {"NOTIFY_SOCKET": path}
    with closing(ServiceManager(environment)) as service_manager:
        service_manager.tell(READY="1", STATUS="all\nis well")
        assert manager.heard() == ["READY=1", "STATUS=all is well"]
        assert manager.heard() == []
    assert environment == {}


def test_a_name_that_is_no_utf_8_is_told_as_far_as_it_can_be(manager: Manager, path: str) -> None:
    with closing(ServiceManager({"NOTIFY_SOCKET": path})) as service_manager:
        service_manager.tell(READY="1", STATUS=os.fsdecode(b"/etc/\xff.toml"))
        assert manager.heard() == ["READY=1", "STATUS=/etc/?.toml"]


def test_a_reload_is_told_with_its_time_in_one_datagram(manager: Manager, path: str) -> None:
    """As `Type=notify-reload` waits for it."""
    with closing(ServiceManager({"NOTIFY_SOCKET": path}, Clock())) as service_manager:
        service_manager.reloading()
        assert manager.heard() == ["RELOADING=1", "MONOTONIC_USEC=100000000", "STATUS=reloading"]


def test_an_abstract_address() -> None:
    name = f"ratsnake-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    with (
        closing(manager.socket),
        closing(ServiceManager({"NOTIFY_SOCKET": f"@{name}"})) as service_manager,
    ):
        service_manager.tell(STOPPING="1")
        assert manager.heard() == ["STOPPING=1"]


def test_without_a_manager_nothing_happens() -> None:
    with closing(ServiceManager({})) as service_manager:
        service_manager.tell(READY="1")
        assert service_manager.period is None


def test_a_manager_that_is_not_there_is_a_warning(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1"})) as service_manager:
        service_manager.tell(READY="1")
        assert service_manager.period is None
    assert caplog.messages == [f"NOTIFY_SOCKET {path}: No such file or directory"]


def test_a_manager_that_does_not_read_holds_up_nothing(manager: Manager, path: str) -> None:
    with closing(ServiceManager({"NOTIFY_SOCKET": path})) as service_manager:
        for _ in range(10_000):
            service_manager.tell(STATUS="x" * 1000)
    assert manager.heard() == ["STATUS=" + "x" * 1000]


@pytest.mark.parametrize(
    ("variables", "period"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_period_is_half_of_what_the_manager_waits(
    manager: Manager, path: str, variables: dict[str, str], period: float | None
) -> None:
    environment = {"NOTIFY_SOCKET": path, **variables}
    with closing(ServiceManager(environment)) as service_manager:
        assert service_manager.period == period
    assert environment == {}


def test_no_sign_of_life_once_the_packet_loop_is_stuck(
    manager: Manager, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"}
    with closing(ServiceManager(environment, clock)) as service_manager:
        alive = ["WATCHDOG=1", "STATUS=fine"]
        service_manager.sign_of_life(7, lambda: "fine")
        assert manager.heard() == alive
        clock.now += STILL_ALIVE_SECONDS
        service_manager.sign_of_life(7, lambda: "fine")
        assert manager.heard() == alive
        for _ in range(3):
            clock.now += 1
            service_manager.sign_of_life(7, lambda: "fine")
        assert manager.heard() == ["STATUS=the packet loop is stuck"]
        assert manager.heard() == []
        assert caplog.messages == ["the packet loop is stuck: no round for 6 s"]
        service_manager.sign_of_life(8, lambda: "fine")
        assert manager.heard() == alive


def test_a_periodic_task_is_done_when_due_and_never_made_up_for() -> None:
    clock = Clock()
    done: list[float] = []
    periodic_task = PeriodicTask(10, lambda: done.append(clock.now), clock)
    for clock.now in (109.0, 110.0, 111.0, 145.0, 146.0, 155.0):
        periodic_task.perform()
    assert done == [110.0, 145.0, 155.0]
    assert periodic_task.due == 165.0


def test_a_sign_of_life_is_repeated_while_something_is_waited_for_but_not_for_ever(
    manager: Manager, path: str
) -> None:
    clock = Clock()
    environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"}
    with closing(ServiceManager(environment, clock)) as service_manager:
        service_manager.again()
        assert manager.heard() == []
        service_manager.sign_of_life(1, lambda: "well")
        assert manager.heard() == ["WATCHDOG=1", "STATUS=well"]
        for clock.now in (101.0, 100.0 + LONGEST_WAIT):
            service_manager.again()
            assert manager.heard() == ["WATCHDOG=1"]
        clock.now = 100.1 + LONGEST_WAIT
        service_manager.again()
        assert manager.heard() == []
