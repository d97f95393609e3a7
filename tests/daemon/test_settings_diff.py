"""What differs between two readings of the configuration, and how it is told."""

from typing import Any

import pytest

from ratsnake.daemon.configuration.configuration_file import TABLES, parse
from ratsnake.daemon.configuration.flag_table import RUN_FLAGS
from ratsnake.daemon.configuration.settings_diff import Difference, differences

CASES = [
    ("", "", []),
    ("[types]\nnat = 'full-cone'", "[types]\nnat = 'eim/eif'", []),
    ("", "[timeouts]\nudp = 300\n[packets]\ninbound-refresh = true\n[rules]\nforward = []", []),
    ("[host]\ncontrol-mode = '660'", "[host]\ncontrol-mode = '0660'", []),
    (
        "[types]\nudp = 'symmetric'",
        "[types]\nnat = 'full-cone'",
        [
            'types.nat: "port-restricted-cone" -> "full-cone"',
            'types.udp: "symmetric" -> not set',
        ],
    ),
    (
        "[timeouts]\nudp = 60\nicmp = 30",
        "[timeouts]\nicmp = 30\nrest = 0",
        ["timeouts.udp: 60 -> 300", "timeouts.rest: 120 -> 0"],
    ),
    (
        "[packets]\nmtu = 1400\n[events]\nkinds = ['mapping']",
        "[packets]\ndecrement-ttl = true\n[events]\nkinds = ['mapping', 'session']",
        [
            "packets.mtu: 1400 -> 0",
            "packets.decrement-ttl: false -> true",
            "events.kinds: now with session",
        ],
    ),
    (
        "[rules]\nforward = ['tcp:1=10.0.0.1', 'tcp:2=10.0.0.1', 'tcp:3=10.0.0.1:3']",
        "[rules]\nforward = ['tcp:1=10.0.0.1', 'tcp:4=10.0.0.1', 'tcp:5=10.0.0.1']",
        [
            "rules.forward: now without tcp:2=10.0.0.1, tcp:3=10.0.0.1:3"
            " and with tcp:4=10.0.0.1, tcp:5=10.0.0.1"
        ],
    ),
    (
        "[nat]\ninternal = ['10.0.0.0/8', '192.168.0.0/16']",
        "[nat]\ninternal = ['192.168.0.0/16', '10.0.0.0/8']",
        [
            'nat.internal: ["10.0.0.0/8", "192.168.0.0/16"] -> ["192.168.0.0/16", "10.0.0.0/8"]',
        ],
    ),
]


_OF_HOSTS = "[[hosts]]\nprefix = '192.168.1.{}'\nnat = '{}'\n"
CASES += [
    (
        _OF_HOSTS.format(1, "full-cone") + _OF_HOSTS.format(2, "symmetric"),
        _OF_HOSTS.format("2/32", "symmetric") + _OF_HOSTS.format(1, "eim/eif"),
        [],
    ),
    (
        _OF_HOSTS.format(1, "full-cone"),
        _OF_HOSTS.format(1, "symmetric"),
        ["hosts: now without 192.168.1.1=nat:full-cone and with 192.168.1.1=nat:symmetric"],
    ),
    ("[host]\nlan = 'br0'", "[host]\nlan = ['br0']", []),
    ("[host]\nlan = 'br0'", "[host]\nlan = ['br0', 'wg0']", ["host.lan: now with wg0"]),
    ("[host]\nlan = ['br0', 'wg0']", "[host]\nlan = 'wg0'", ["host.lan: now without br0"]),
]


def found(before: str, after: str) -> tuple[Difference, ...]:
    return differences(parse(before, "a.toml").texts, parse(after, "b.toml").texts)


@pytest.mark.parametrize(("before", "after", "told"), CASES, ids=map(str, range(len(CASES))))
def test_keys_whose_meaning_differs_are_told(before: str, after: str, told: list[str]) -> None:
    assert [str(one) for one in found(before, after)] == told


def test_values_are_as_the_file_has_them() -> None:
    before = "[rules]\nno-nat = ['198.51.100.0/24']\n[metrics]\nlisten = '9469'"
    changes: dict[str, Any] = {one.key: (one.old, one.new) for one in found(before, "")}
    assert changes == {
        "rules.no-nat": (["198.51.100.0/24"], []),
        "metrics.listen": ("9469", None),
    }


def test_what_is_set_up_at_the_start_needs_a_restart() -> None:
    marked = {flag.key for flag in RUN_FLAGS if flag.restart}
    started_with = {"device", "control", "control-mode", "control-group", "user", "listen"}
    assert marked == {*started_with, "file", "period"}
    assert not marked & set(TABLES)
    (device, udp) = found("", "[host]\ndevice = 'nat0'\n[timeouts]\nudp = 60")
    assert (device.restart, udp.restart) == (True, False)
