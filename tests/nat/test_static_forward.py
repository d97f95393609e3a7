"""Which forwards may stand together, and where their addresses may lie."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratsnake.nat.settings.static_forward import Forward, check_forwards, resolve
from ratsnake.nat.settings.static_forward_text import parse_forward, parse_one_to_one
from support.properties import examples

EXTERNALS = tuple(map(ip_address, ("203.0.113.1", "203.0.113.2", "2001:db8::1")))
INTERNAL = (ip_network("192.168.1.0/24"), ip_network("2001:db8:1::/64"))


def read(text: str) -> Forward:
    return parse_forward(text) if text[0].isalpha() else parse_one_to_one(text)


def check(*texts: str) -> None:
    check_forwards(map(read, texts), EXTERNALS, INTERNAL)


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("tcp:80=192.168.1.10", "udp:80=192.168.1.10", "tcp:81-90=192.168.1.10:80"),
        ("tcp:80=192.168.1.10", "tcp:203.0.113.2:80=192.168.1.10"),
        ("tcp:80=192.168.1.10", "tcp:80=[2001:db8:1::5]"),
        ("tcp:80=192.168.1.10@198.51.100.0/25", "tcp:80=192.168.1.11@198.51.100.128/25"),
        ("tcp:80-90=192.168.1.10@198.51.100.1", "tcp:85-99=192.168.1.11@198.51.100.2"),
        ("203.0.113.2=192.168.1.10", "tcp:80=192.168.1.10"),
        ("tcp:80=192.168.1.10@198.51.100.0/24,198.51.100.7",),
    ],
)
def test_forwards_that_no_packet_confuses_stand_together(texts: tuple[str, ...]) -> None:
    check(*texts)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ("tcp:203.0.113.9:80=192.168.1.10",),
            "forward: tcp:203.0.113.9:80=192.168.1.10: 203.0.113.9 is not an external address of "
            "the NAT; right is 203.0.113.1, 203.0.113.2",
        ),
        (
            ("203.0.113.9=192.168.1.10",),
            "one-to-one: 203.0.113.9=192.168.1.10: 203.0.113.9 is not an external address",
        ),
        (
            ("tcp:80=192.168.2.10",),
            "forward: tcp:80=192.168.2.10: 192.168.2.10 is not inside; "
            "right is an address in 192.168.1.0/24",
        ),
        (
            ("tcp:80=192.168.1.10", "tcp+udp:70-90=192.168.1.11"),
            "forward: overlapping forwards tcp:80=192.168.1.10 and tcp+udp:70-90=192.168.1.11: ",
        ),
        (
            ("tcp:80=192.168.1.10", "tcp:203.0.113.1:80=192.168.1.11"),
            "overlapping forwards tcp:80=192.168.1.10 and tcp:203.0.113.1:80=192.168.1.11: ",
        ),
        (
            ("tcp:80=192.168.1.10@198.51.100.7", "tcp:80=192.168.1.11@198.51.100.0/24"),
            "overlapping forwards tcp:80=192.168.1.10@198.51.100.7 and "
            "tcp:80=192.168.1.11@198.51.100.0/24: ",
        ),
        (("tcp:80=192.168.1.10", "tcp:80=192.168.1.11@198.51.100.7"), "overlapping forwards"),
        (("tcp:80=192.168.1.10", "tcp:80=192.168.1.10"), "overlapping forwards"),
        (
            ("udp:203.0.113.2:9=192.168.1.11", "203.0.113.2=192.168.1.10"),
            "one-to-one: 203.0.113.2=192.168.1.10: udp:203.0.113.2:9=192.168.1.11 uses "
            "203.0.113.2 too; a one-to-one address serves one internal host only",
        ),
        (
            ("203.0.113.2=192.168.1.10", "203.0.113.2=192.168.1.11"),
            "a one-to-one address serves one internal host only",
        ),
        (
            ("203.0.113.1=192.168.1.10", "sctp:1=192.168.1.11"),
            "one-to-one: 203.0.113.1=192.168.1.10: sctp:1=192.168.1.11 uses 203.0.113.1 too",
        ),
    ],
)
def test_a_mistake_names_the_forwards(texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check(*texts)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_family_needs_an_external_address() -> None:
    with pytest.raises(ValueError, match="the NAT has no external IPv6 address"):
        check_forwards([read("tcp:80=[2001:db8:1::5]")], EXTERNALS[:2], INTERNAL)


def test_of_many_addresses_a_message_lists_a_few() -> None:
    many = tuple(ip_network("203.0.113.0/24"))[:100]
    with pytest.raises(ValueError, match="203.0.113.3 or one of 96 more$"):
        resolve(read("tcp:192.0.2.1:80=192.168.1.10"), many)


def test_the_first_external_address_of_the_family_is_meant() -> None:
    externals = (EXTERNALS[2], *EXTERNALS[:2])
    assert resolve(read("tcp:80=192.168.1.10"), externals).external == EXTERNALS[0]
    assert resolve(read("tcp:80=[2001:db8:1::5]"), externals).external == EXTERNALS[2]
    given = read("tcp:203.0.113.2:80=192.168.1.10")
    assert resolve(given, externals) == given


REMOTES = ("", "@198.51.100.0/24", "@198.51.100.0/25", "@198.51.100.200,192.0.2.1", "@192.0.2.0/24")
TEXTS = st.builds(
    "{}:{}{}-{}=192.168.1.10:80{}".format,
    st.sampled_from(("tcp", "udp", "tcp+udp")),
    st.sampled_from(("", "203.0.113.1:", "203.0.113.2:")),
    st.integers(1, 5),
    st.integers(5, 9),
    st.sampled_from(REMOTES),
)


def meet(one: Forward, other: Forward) -> bool:
    """Whether a packet from outside fits both."""
    one, other = resolve(one, EXTERNALS), resolve(other, EXTERNALS)
    everybody = (ip_network("0.0.0.0/0"),)
    return (
        one.external == other.external
        and bool(set(one.protocols) & set(other.protocols))
        and one.first_port <= other.last_port
        and other.first_port <= one.last_port
        and any(
            mine.overlaps(theirs)  # type: ignore[arg-type]
            for mine in one.remotes or everybody
            for theirs in other.remotes or everybody
        )
    )


@examples(200)
@given(texts=st.lists(TEXTS, max_size=4))
def test_forwards_are_refused_exactly_if_two_meet(texts: list[str]) -> None:
    forwards = [read(text) for text in texts]
    some_meet = any(
        meet(one, other) for k, one in enumerate(forwards) for other in forwards[k + 1 :]
    )
    try:
        check(*texts)
    except ValueError as error:
        assert some_meet and "overlapping forwards" in str(error)
    else:
        assert not some_meet
