"""Settings are checked before anything is built; the message names the key and what is right."""

import re
from ipaddress import IPv4Address, IPv4Network

import pytest

from support.flavours import Engine, load

LAN = (IPv4Network("192.168.0.0/16"),)
EXTERNAL = IPv4Address("203.0.113.1")


@pytest.fixture
def engine() -> Engine:
    """None of this is compiled."""
    return load("interpreted")


def test_the_defaults_are_those_of_the_rfcs(engine: Engine) -> None:
    settings = engine.Settings(EXTERNAL)
    assert str(settings.ports) == "1024-65535"
    assert [str(prefix) for prefix in settings.internal] == [
        *("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
    ]
    timeouts = settings.timeouts
    assert (timeouts.tcp_established, timeouts.tcp_transitory) == (7440, 240)
    assert (timeouts.udp, timeouts.icmp) == (300, 60)
    assert settings.tcp == settings.udp == settings.icmp
    assert settings.tcp == engine.PRESETS["port-restricted-cone"].behaviour


@pytest.mark.parametrize(
    "address", ["224.0.0.1", "127.0.0.1", "0.0.0.0", "0.1.2.3", "169.254.1.1", "255.255.255.255"]
)
def test_the_external_address_must_be_one_a_host_can_have(engine: Engine, address: str) -> None:
    with pytest.raises(ValueError, match=f"external: {address} is no address a host can have"):
        engine.Settings(IPv4Address(address), LAN)


def test_the_external_address_must_lie_outside_the_internal_prefixes(engine: Engine) -> None:
    message = "external: 192.168.5.5 lies inside the internal prefix 192.168.0.0/16"
    with pytest.raises(ValueError, match=message):
        engine.Settings(IPv4Address("192.168.5.5"), LAN)


def test_there_must_be_an_internal_prefix(engine: Engine) -> None:
    with pytest.raises(ValueError, match="internal: at least one prefix is needed"):
        engine.Settings(EXTERNAL, ())


CLASSES = ("tcp-established", "tcp-transitory", "udp", "icmp")
TABLES = ("mappings", "sessions", "inbound-sessions")


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("value", [0, -1, 604801, 1.5, "60", None])
def test_a_timeout_out_of_range_is_named(engine: Engine, name: str, value: object) -> None:
    message = f"{name}: {value!r} is not a whole number of seconds in 1..604800"
    with pytest.raises(ValueError, match=re.escape(message)):
        engine.Timeouts(**{name.replace("-", "_"): value})


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("value", [0, -1, (1 << 24) + 1, 2.0])
def test_a_limit_out_of_range_is_named(engine: Engine, name: str, value: object) -> None:
    message = f"{name}: {value!r} is not a whole number of rows in 1..16777216"
    with pytest.raises(ValueError, match=re.escape(message)):
        engine.Limits(**{name.replace("-", "_"): value})


def test_the_ends_of_every_range_are_right(engine: Engine) -> None:
    for value in (1, 604800):
        engine.Timeouts(value, value, value, value)
    engine.Limits(1, 1, 1)
    engine.Limits(1 << 24, 1 << 24, 1 << 24)


def test_sharing_ports_needs_remotes_that_tell_the_sharers_apart(engine: Engine) -> None:
    module = engine.modules["nat.behaviour"]
    for sharing in (module.Sharing.OVERLOAD, module.Sharing.DISTINCT):
        for mapping in module.Mapping:
            for filtering in module.Filtering:
                if mapping and filtering:
                    share = engine.Behaviour(mapping, filtering, sharing).share
                    assert share == min(mapping, filtering)
                    continue
                message = f"{mapping.name} mapping with {filtering.name} filtering needs exclusive"
                with pytest.raises(ValueError, match=message):
                    engine.Behaviour(mapping, filtering, sharing)


def test_an_exclusive_port_needs_nothing_to_tell_sharers_apart(engine: Engine) -> None:
    module = engine.modules["nat.behaviour"]
    for mapping in module.Mapping:
        for filtering in module.Filtering:
            assert engine.Behaviour(mapping, filtering).share == 0


def test_settings_cannot_be_changed_behind_the_check(engine: Engine) -> None:
    settings = engine.Settings(EXTERNAL, LAN)
    with pytest.raises(AttributeError):
        settings.external = IPv4Address("127.0.0.1")
