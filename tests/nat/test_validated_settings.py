"""Settings are checked before anything is built; the message names the key and what is right."""

import re
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

import pytest

from support.flavours import Engine, load

LAN = (IPv4Network("192.168.0.0/16"),)
EXTERNAL = IPv4Address("203.0.113.1")


@pytest.fixture
def engine() -> Engine:
    """None of this is compiled."""
    return load("interpreted")


def made(engine: Engine, *addresses: str, **keywords: Any) -> Any:
    """Settings with these external addresses, or the one."""
    chosen = map(ip_address, addresses or (str(EXTERNAL),))
    externals = tuple(engine.External(address) for address in chosen)
    return engine.Settings(externals=externals, **{"internal": LAN, **keywords})


def test_the_defaults_are_those_of_the_rfcs(engine: Engine) -> None:
    settings = engine.Settings(externals=(engine.External(EXTERNAL),))
    assert str(settings.externals[0].ports) == "1024-65535"
    assert [str(prefix) for prefix in settings.internal] == [
        *("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
    ]
    timeouts = settings.timeouts
    assert timeouts.tcp_established == 7440  # RFC 5382 REQ-5: 2 hours 4 minutes
    assert (timeouts.tcp_opening, timeouts.tcp_closing) == (240, 240)  # and 4 minutes
    assert (timeouts.udp, timeouts.icmp) == (300, 60)  # RFC 4787 REQ-5c, RFC 5508 REQ-2
    assert timeouts.rest == 120  # RFC 6888 REQ-8
    assert 2 <= timeouts.fragments <= 120  # RFC 791 section 3.2 to RFC 8200 section 4.5 at most
    limits = settings.limits
    assert (limits.host_mappings, limits.host_sessions, limits.host_rate) == (0, 0, 0)
    *with_ports, other = settings.behaviours
    assert set(with_ports) == {engine.PRESETS["port-restricted-cone"].behaviour}
    assert (other.mapping.name, other.filtering.name) == ("ADM", "ADF")
    # RFC 4787 REQ-2, RFC 5382 REQ-4, RFC 5508 REQ-8.
    choices = (settings.pooling, settings.unsolicited_syn, settings.no_resources)
    assert [choice.value for choice in choices] == ["paired", "icmp", "prohibited"]
    assert (settings.port_block, settings.deterministic, settings.forwards) == (0, False, ())
    assert (settings.no_nat, settings.nptv6, settings.mtu) == ((), None, 0)
    assert not settings.decrement_ttl


@pytest.mark.parametrize(
    "address",
    [
        *("224.0.0.1", "127.0.0.1", "0.0.0.0", "0.1.2.3", "169.254.1.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "ff02::1", "::cb00:7101"),
    ],
)
def test_the_external_address_must_be_one_a_host_can_have(engine: Engine, address: str) -> None:
    with pytest.raises(ValueError, match=f"external: {address} is no address a host can have"):
        made(engine, address)


def test_a_mapped_address_is_told_to_be_an_ipv4_one(engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"external: ::ffff:.* disguise; right is 203\.0\.113\.1$"):
        made(engine, "::ffff:203.0.113.1")


@pytest.mark.parametrize(
    ("external", "internal", "family"),
    [("203.0.113.1", "2001:db8::/64", "IPv4"), ("2001:db8:1::1", "192.168.0.0/16", "IPv6")],
)
def test_an_external_address_needs_internal_hosts_of_its_family(
    engine: Engine, external: str, internal: str, family: str
) -> None:
    message = f"external: {external} serves {family} hosts, but .* give --internal theirs"
    with pytest.raises(ValueError, match=message):
        made(engine, external, internal=(ip_network(internal),))


def test_prefixes_exchanged_and_addresses_shared_do_not_overlap(engine: Engine) -> None:
    pair = ip_network("fd01:203:405::/48"), ip_network("2001:db8:1::/48")
    both = (*LAN, ip_network("2001:db8:1:5::/64"))
    with pytest.raises(ValueError, match="nptv6: 2001:db8:1::/48 overlaps the internal prefix"):
        made(engine, internal=both, nptv6=pair)
    inside = (*LAN, ip_network("fd00::/64"))
    for address in ("2001:db8:1::1", "fd01:203:405::1"):
        with pytest.raises(ValueError, match=f"nptv6: .* holds the external address {address}"):
            made(engine, address, internal=inside, nptv6=pair)
    made(engine, "2001:db8:2::1", internal=inside, nptv6=pair)


def test_the_external_address_must_lie_outside_the_internal_prefixes(engine: Engine) -> None:
    message = "external: 192.168.5.5 lies inside the internal prefix 192.168.0.0/16"
    with pytest.raises(ValueError, match=message):
        made(engine, "192.168.5.5")
    message = "external: 2001:db8::5 lies inside the internal prefix 2001:db8::/64"
    with pytest.raises(ValueError, match=message):
        made(engine, "2001:db8::5", internal=(ip_network("2001:db8::/64"),))


def test_there_must_be_an_internal_prefix(engine: Engine) -> None:
    with pytest.raises(ValueError, match="internal: at least one prefix is needed"):
        made(engine, internal=())


def test_there_must_be_an_external_address(engine: Engine) -> None:
    with pytest.raises(ValueError, match="external: at least one address is needed"):
        engine.Settings(externals=(), internal=LAN)


def test_no_external_address_stands_twice(engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"external: 203\.0\.113\.1 stands twice"):
        made(engine, "203.0.113.1", "203.0.113.2", "203.0.113.1")


def test_external_addresses_are_1024_at_most(engine: Engine) -> None:
    many = [str(IPv4Address("198.51.100.0") + n) for n in range(1025)]
    made(engine, *many[:1024])
    with pytest.raises(ValueError, match="external: 1025 addresses; at most 1024 work"):
        made(engine, *many)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"mtu": 575}, "mtu: 575 is not in 576..65535 bytes"),
        ({"mtu": 65536}, "mtu: 65536 is not in 576..65535 bytes"),
        ({"mtu": -1}, "mtu: -1 is not in 576..65535 bytes"),
        ({"port_block": -1}, "port-block: right is a number of ports from 1"),
        ({"port_block": 64513}, "port-block: 64513 is more than the 64512 ports of 203.0.113.1"),
        ({"port_block": 64, "blocks_per_host": 0}, "blocks-per-host: "),
        ({"port_block": 64, "blocks_per_host": 65}, "blocks-per-host: 65; right is from 1 to 64"),
        ({"port_block": 64, "pooling": "ARBITRARY"}, "port-block: .* contradicts arbitrary"),
        (
            {"deterministic": True, "pooling": "ARBITRARY"},
            "deterministic: .* contradicts arbitrary",
        ),
        ({"deterministic": True, "internal": ("fd00::/64",)}, "deterministic: IPv6 prefixes"),
        ({"deterministic": True}, "internal: 65,536 addresses share 1 external address"),
        (
            {"deterministic": True, "port_block": 253, "internal": ("10.0.0.0/24",)},
            r"port-block: 253 ports each do not fit: .* Right is 1\.\.252",
        ),
    ],
)
def test_a_contradiction_is_named_with_what_is_right(
    engine: Engine, keywords: dict[str, Any], message: str
) -> None:
    given = dict(keywords)
    if "pooling" in given:
        given["pooling"] = engine.modules["nat.settings.setting_types"].Pooling[given["pooling"]]
    if "internal" in given:
        given["internal"] = tuple(map(ip_network, given["internal"]))
    with pytest.raises(ValueError, match=message) as failure:
        made(engine, **given)
    assert "\n" not in str(failure.value)


def test_what_lies_at_the_edge_is_right(engine: Engine) -> None:
    for keywords in (
        {"mtu": 576},
        {"mtu": 65535},
        {"port_block": 64512},
        {"port_block": 1, "blocks_per_host": 1},
        {"port_block": 1, "blocks_per_host": 64},
        {"deterministic": True, "internal": (ip_network("10.0.0.0/16"),)},
    ):
        if keywords.get("deterministic"):
            ports = engine.PortSet.parse("1-65535")
            pair = [engine.External(IPv4Address(f"203.0.113.{n}"), ports) for n in (1, 2)]
            engine.Settings(externals=tuple(pair), **keywords)
        else:
            made(engine, **keywords)


CLASSES = ("tcp-established", "tcp-opening", "tcp-closing", "udp", "icmp", "other", "fragments")
TABLES = ("mappings", "sessions", "inbound-sessions")
FROM_NOUGHT = (
    ("host-mappings", 16_000_000),
    ("host-sessions", 16_000_000),
    ("host-rate", 1_000_000),
    ("icmp-errors", 1_000_000),
)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("value", [0, -1, 604801, 1.5, "60", None])
def test_a_timeout_out_of_range_is_named(engine: Engine, name: str, value: object) -> None:
    message = f"{name}: {value!r}: must be a whole number of seconds from 1 to 604800"
    with pytest.raises(ValueError, match=re.escape(message)):
        engine.Timeouts(**{name.replace("-", "_"): value})


@pytest.mark.parametrize("value", [-1, 604801, 1.5, "60", None])
def test_a_rest_may_be_nought_but_not_out_of_range(engine: Engine, value: object) -> None:
    engine.Timeouts(rest=0)
    message = f"rest: {value!r}: must be a whole number of seconds from 0 to 604800"
    with pytest.raises(ValueError, match=re.escape(message)):
        engine.Timeouts(rest=value)


@pytest.mark.parametrize(("name", "most"), FROM_NOUGHT)
@pytest.mark.parametrize("value", [-1, 16_000_001, 2.0])
def test_a_limit_of_a_host_or_a_rate_may_be_nought_but_not_out_of_range(
    engine: Engine, name: str, most: int, value: object
) -> None:
    engine.Limits(**{name.replace("-", "_"): 0})
    engine.Limits(**{name.replace("-", "_"): most})
    with pytest.raises(ValueError, match=rf"{name}: {value!r}: must .* from 0 to {most}"):
        engine.Limits(**{name.replace("-", "_"): value})


@pytest.mark.parametrize("value", [0, 3, 16_000_001])
def test_room_for_fragments_is_at_least_4(engine: Engine, value: int) -> None:
    engine.Limits(fragments=4)
    with pytest.raises(ValueError, match=rf"fragments: {value}: must .* from 4 to 16000000"):
        engine.Limits(fragments=value)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("value", [0, -1, 16_000_001, 2.0])
def test_a_limit_out_of_range_is_named(engine: Engine, name: str, value: object) -> None:
    message = f"{name}: {value!r}: must be a whole number from 1 to 16000000"
    with pytest.raises(ValueError, match=re.escape(message)):
        engine.Limits(**{name.replace("-", "_"): value})


@pytest.mark.parametrize("value", [0, 1025])
def test_unanswered_sessions_are_few_for_they_end_all_at_once(engine: Engine, value: int) -> None:
    message = f"unanswered-sessions: {value}: must be a whole number from 1 to 1024"
    with pytest.raises(ValueError, match=re.escape(message)):
        engine.Limits(unanswered_sessions=value)


def test_the_ends_of_every_range_are_right(engine: Engine) -> None:
    for value in (1, 604800):
        engine.Timeouts(*[value] * 9)
    engine.Limits(*[1] * 8, 4, 1)
    most = (*[16_000_000] * 3, 1024, *[16_000_000] * 2, 1_000_000, 100, 16_000_000, 1_000_000)
    engine.Limits(*most)


def test_sharing_ports_needs_remotes_that_tell_the_sharers_apart(engine: Engine) -> None:
    module = engine.modules["nat.rules.behaviour"]
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
    module = engine.modules["nat.rules.behaviour"]
    for mapping in module.Mapping:
        for filtering in module.Filtering:
            assert engine.Behaviour(mapping, filtering).share == 0


def test_settings_cannot_be_changed_behind_the_check(engine: Engine) -> None:
    settings = made(engine)
    with pytest.raises(AttributeError):
        settings.externals = (engine.External(IPv4Address("127.0.0.1")),)
    with pytest.raises(AttributeError):
        settings.externals[0].address = IPv4Address("127.0.0.1")
