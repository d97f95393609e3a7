"""When hosts get another external address than the one lost, by a clock passed in."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from ratsnake.daemon.configuration.option_parsing import RunOptions, run_options
from ratsnake.daemon.host_integration.host_values import HostValues, fitted_options
from ratsnake.daemon.reconfiguration.address_loss import AddressLosses, unavailable
from ratsnake.host.kernel.interface_address import InterfaceAddress

LINES = InterfaceAddress("ppp0"), InterfaceAddress("ppp1")
A, B = IPv4Address("198.51.100.7"), IPv4Address("203.0.113.9")
THERE = HostValues(dict(zip(LINES, (A, B), strict=True)))
WITHOUT_A = HostValues(THERE.addresses, {LINES[0]: "has no address"})
WITHOUT_BOTH = HostValues(THERE.addresses, dict.fromkeys(LINES, "has no address"))


class Scene:
    def __init__(self, pooling: str = "paired") -> None:
        self.now = 1_000
        self.losses = AddressLosses(lambda: self.now)
        self.options = run_options(
            {
                "external": [str(line) for line in LINES],
                "pooling": pooling,
                "timeout": ["pairing=30"],
            }
        )

    def applied(self, host_values: HostValues) -> RunOptions:
        self.losses.note(host_values)
        return self.losses.applied(fitted_options(self.options, host_values), host_values)

    def given_up(self, host_values: HostValues) -> tuple[object, ...]:
        return self.losses.give_up(self.applied(host_values), host_values)

    def kinds(self, host_values: HostValues) -> list[str]:
        externals = self.applied(host_values).nat.settings.externals
        return [external.availability.name for external in externals]


def test_a_lost_address_is_given_up_when_hosts_have_waited_long_enough() -> None:
    scene = Scene()
    assert scene.kinds(THERE) == ["PRESENT", "PRESENT"]
    assert scene.kinds(WITHOUT_A) == ["LOST", "PRESENT"]
    assert unavailable(scene.applied(WITHOUT_A)) == {A}
    scene.now += 29_999
    assert scene.given_up(WITHOUT_A) == ()
    scene.now += 1
    assert scene.given_up(WITHOUT_A) == (A,)
    assert scene.given_up(WITHOUT_A) == ()
    assert scene.kinds(WITHOUT_A) == ["GIVEN_UP", "PRESENT"]
    assert scene.kinds(THERE) == ["PRESENT", "PRESENT"]


def test_each_loss_has_its_own_time() -> None:
    scene = Scene()
    scene.kinds(WITHOUT_A)
    scene.now += 20_000
    scene.kinds(THERE)
    scene.kinds(WITHOUT_A)
    scene.now += 20_000
    assert scene.given_up(WITHOUT_A) == ()
    scene.now += 10_000
    assert scene.given_up(WITHOUT_A) == (A,)


def test_where_all_are_lost_none_is_given_up() -> None:
    scene = Scene()
    assert scene.kinds(WITHOUT_BOTH) == ["PRESENT", "PRESENT"]
    scene.now += 60_000
    assert scene.given_up(WITHOUT_BOTH) == ()
    # Of both the wait has begun: the first to come back serves the hosts of the other at once.
    assert scene.given_up(WITHOUT_A) == (A,)


@pytest.mark.parametrize("pooling", ["arbitrary"])
def test_where_hosts_are_not_paired_nobody_waits(pooling: str) -> None:
    scene = Scene(pooling)
    assert scene.kinds(WITHOUT_A) == ["LOST", "PRESENT"]
    scene.now += 60_000
    assert scene.given_up(WITHOUT_A) == ()
