"""What each flag accepts, and how a mistake is told."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from ratsnake.daemon.errors import UsageError
from ratsnake.daemon.options import (
    NAT_FLAGS,
    RUN_FLAGS,
    nat_options,
    read_flags,
    run_options,
    socket_path,
)
from ratsnake.nat.behaviour import PRESETS

EXTERNAL = {"external": "203.0.113.1"}


def test_defaults() -> None:
    options = run_options(EXTERNAL)
    settings = options.nat.settings
    assert settings.external == IPv4Address("203.0.113.1")
    assert IPv4Network("100.64.0.0/10") in settings.internal
    assert str(settings.ports) == "1024-65535"
    assert settings.tcp == settings.udp == settings.icmp
    assert settings.tcp == PRESETS["port-restricted-cone"].behaviour
    assert settings.timeouts.tcp_established == 7440
    assert (options.device, options.lan) == ("ratsnake", None)
    assert options.control.endswith("/ratsnake.sock")


def test_a_protocols_own_type_beats_the_general_one() -> None:
    options = nat_options({**EXTERNAL, "nat": "full-cone", "tcp": "symmetric"})
    assert options.types == {"tcp": "symmetric", "udp": "full-cone", "icmp": "full-cone"}
    assert options.settings.tcp == PRESETS["symmetric"].behaviour
    assert options.settings.udp == PRESETS["full-cone"].behaviour


def test_repeated_flags() -> None:
    settings = nat_options(
        {
            **EXTERNAL,
            "internal": ["192.168.1.0/24", "192.168.2.0/24"],
            "timeout": ["udp=30", "tcp-established=300", "udp=40"],
        }
    ).settings
    assert [str(prefix) for prefix in settings.internal] == ["192.168.1.0/24", "192.168.2.0/24"]
    assert (settings.timeouts.udp, settings.timeouts.tcp_established) == (40, 300)
    assert settings.timeouts.icmp == 60


@pytest.mark.parametrize("seconds", ["300", "0000000000300", "0" * 5000 + "300"])
def test_leading_zeros_change_no_number(seconds: str) -> None:
    assert nat_options({**EXTERNAL, "timeout": [f"udp={seconds}"]}).settings.timeouts.udp == 300


def test_the_socket_follows_the_device_unless_given() -> None:
    assert socket_path({"device": "tun7"}).endswith("/tun7.sock")
    assert socket_path({"device": "tun7", "control": "/x"}) == "/x"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "--external ADDR is needed"),
        ({"external": "host"}, "--external host: must be an IPv4 address"),
        ({"external": "2001:db8::1"}, "--external 2001:db8::1: must be an IPv4 address"),
        ({"external": "224.0.0.1"}, "--external: 224.0.0.1"),
        ({"external": "10.0.0.1"}, "--external: 10.0.0.1 lies inside the internal prefix"),
        ({"internal": ["192.168.1.1/24"]}, "did you mean 192.168.1.0/24?"),
        ({"internal": ["lan"]}, "--internal lan: must be an IPv4 prefix"),
        ({"nat": "restrictd-cone"}, "--nat restrictd-cone: .* did you mean restricted-cone?"),
        ({"tcp": "xyz"}, "--tcp xyz: no such NAT type; see `ratsnake types`"),
        ({"ports": "5-x"}, "--ports 5-x: '5-x' is not a port"),
        ({"ports": ""}, "--ports : "),
        ({"timeout": ["udp"]}, "--timeout udp: must be CLASS=SECONDS"),
        ({"timeout": ["udp=1.5"]}, "--timeout udp=1.5: must be CLASS=SECONDS"),
        ({"timeout": ["udp=\u0665"]}, "must be CLASS=SECONDS"),
        ({"timeout": ["upd=5"]}, "did you mean udp?"),
        ({"timeout": ["tcp_established=5"]}, "did you mean tcp-established?"),
        ({"timeout": ["zzz=5"]}, "the classes are tcp-established, tcp-transitory, udp, icmp"),
        ({"timeout": ["udp=0"]}, "--timeout udp: 0 is not .* 1..604800"),
        ({"timeout": ["udp=000"]}, "--timeout udp: 0 is not"),
        ({"timeout": ["udp=" + "9" * 5000]}, "--timeout udp: 9+ is not"),
        ({"device": "a/b"}, "--device a/b: "),
        ({"device": "x" * 16}, "--device x{16}: "),
        ({"device": ".."}, "--device ..: "),
        ({"device": "tun%d"}, "--device tun%d: "),
        ({"lan": ""}, "--lan : "),
    ],
)
def test_mistakes(texts: dict[str, str | list[str]], message: str) -> None:
    given = {**EXTERNAL, **texts} if texts else {}
    with pytest.raises(UsageError, match=message) as failure:
        run_options(given)
    assert "\n" not in str(failure.value)


def test_every_default_is_accepted_by_its_own_flag() -> None:
    read_flags(RUN_FLAGS, EXTERNAL)


def test_the_help_names_every_timeout_class_and_default() -> None:
    (timeout,) = (flag for flag in NAT_FLAGS if flag.key == "timeout")
    for text in ("tcp-established (7440)", "tcp-transitory (240)", "udp (300)", "icmp (60)"):
        assert text in timeout.help
