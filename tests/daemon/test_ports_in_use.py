"""daemon/host_integration/ports_in_use.py: which ports programs of the host keep."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from ratsnake.daemon.host_integration.ports_in_use import (
    CHANGE_SECONDS,
    KEPT_SECONDS,
    LOOK_SECONDS,
    PortsInUse,
)
from ratsnake.host.sockets.listening_sockets import Bound
from ratsnake.portset import PortSet

Ranges = tuple[tuple[int, int], tuple[tuple[int, int], ...]]
ADDRESS = IPv4Address("198.51.100.254")
ASKED = PortSet.parse("1024-65535")
SHARES = {(ADDRESS, ASKED): PortSet.parse("1024-32767,61000-65534")}

WEB: Bound = (None, 8443)
QUERY: Bound = (None, 5001)


class Machine:
    """Sockets and a clock that only tests move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sockets: set[Bound] = set()
        self.broken = False
        self.ranges: Ranges = (32768, 60999), ()
        self.ports = PortsInUse(lambda: self.now, self._look, lambda: self.ranges)

    def _look(self) -> frozenset[Bound]:
        if self.broken:
            raise OSError(1, "not permitted")
        return frozenset(self.sockets)

    def look(self, seconds: float = LOOK_SECONDS) -> bool:
        self.now += seconds
        return self.ports.look()


def test_what_is_there_at_two_looks_lasts() -> None:
    machine = Machine()
    machine.sockets = {WEB, QUERY}
    assert not machine.look()
    assert machine.ports.taken() is None
    machine.sockets = {WEB, (None, 5002)}
    assert machine.look()
    assert machine.ports.taken() == {WEB}
    machine.sockets = {WEB, QUERY}
    machine.look()
    assert machine.ports.taken() == {WEB}, "one that came again by chance is another"


def test_a_program_that_is_restarted_keeps_its_port() -> None:
    machine = Machine()
    machine.sockets = {WEB}
    machine.look()
    machine.look()
    machine.sockets = set()
    machine.look(KEPT_SECONDS - 1)
    assert machine.ports.taken() == {WEB}
    machine.look(1)
    assert machine.ports.taken() == set()


def test_it_is_looked_at_once_a_second() -> None:
    machine = Machine()
    machine.look()
    machine.sockets = {WEB}
    assert not machine.look(LOOK_SECONDS / 2)
    assert machine.ports.due() == machine.now + LOOK_SECONDS / 2


def test_changes_have_a_pause_between_them() -> None:
    machine = Machine()
    machine.look()
    assert machine.look()
    machine.ports.taken()
    assert not machine.look()
    assert machine.look(CHANGE_SECONDS)


def test_other_ranges_make_a_difference() -> None:
    machine = Machine()
    machine.look()
    machine.look()
    assert not machine.ports.differ_from(SHARES)
    machine.ranges = (50000, 60999), ((50001, 50001),)
    machine.look()
    assert machine.ports.differ_from(SHARES)
    machine.ports.taken()
    assert not machine.ports.differ_from(SHARES)


@pytest.mark.parametrize(
    ("bound", "differs"),
    [
        (WEB, True),
        ((ADDRESS, 8443), True),
        ((IPv4Address("192.0.2.129"), 8443), False),
        ((None, 443), False),
        ((None, 40000), False),
    ],
)
def test_only_a_port_that_the_nat_has_makes_a_difference(bound: Bound, differs: bool) -> None:
    machine = Machine()
    machine.look()
    machine.sockets = {bound}
    machine.look()
    assert not machine.ports.differ_from(SHARES)
    machine.look()
    assert machine.ports.differ_from(SHARES) is differs


def test_a_host_that_cannot_be_looked_at_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.look()
    machine.broken = True
    assert not machine.look()
    assert not machine.look(KEPT_SECONDS)
    assert machine.ports.taken() is None
    assert len(caplog.records) == 1
