"""The nine types: mapping (RFC 4787 section 4.1) times filtering (section 5), told from outside.

Neither depends on the other, on the protocol or on the family.
"""

from itertools import product

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS

MAPPINGS = ("eim", "adm", "apdm")
FILTERS = ("eif", "adf", "apdf")


def types(filters: tuple[str, ...]) -> pytest.MarkDecorator:
    pairs = [pytest.param(*pair, id="-".join(pair)) for pair in product(MAPPINGS, filters)]
    return pytest.mark.parametrize(("mapping", "filtering"), pairs)


NINE = types(FILTERS)
EVERYWHERE = [(protocol, places) for protocol in WITH_PORTS for places in (V4, V6)]


def remote(protocol: str, address: str, port: int) -> Endpoint:
    """A remote endpoint; of ICMP only the address exists."""
    return address, 0 if protocol == "icmp" else port


def classified(site: Site, protocol: str, places: Places) -> str:
    """RFC 4787 section 4.1: X:x toward Y1:y1, toward Y1:y2 and toward Y2:y1, by what Y sees."""
    host = (places.hosts[0], 4000)
    y1, y2 = places.remotes[:2]
    first, other_port, other_address = (
        site.open(protocol, host, remote(protocol, *far)) for far in ((y1, 80), (y1, 81), (y2, 80))
    )
    assert {end[0] for end in (first, other_port, other_address)} == {places.external}
    if first == other_address:
        assert first == other_port
        return "eim"
    return "adm" if first == other_port else "apdm"


@NINE
def test_the_mapping_is_what_its_name_says(engine: Engine, mapping: str, filtering: str) -> None:
    site = Site(engine, f"{mapping}/{filtering}")
    for protocol, places in EVERYWHERE:
        # Echo has no remote port, so that nothing tells ADM and APDM apart.
        expected = "adm" if protocol == "icmp" and mapping == "apdm" else mapping
        assert (protocol, classified(site, protocol, places)) == (protocol, expected)
    count = {"eim": 1, "adm": 2, "apdm": 3}[mapping]
    rows = [row.protocol for row in site.mappings()]
    assert {p: rows.count(p) for p in WITH_PORTS if p != "icmp"} == {
        p: 2 * count for p in WITH_PORTS if p != "icmp"
    }


@NINE
def test_the_filter_is_what_its_name_says(engine: Engine, mapping: str, filtering: str) -> None:
    site = Site(engine, f"{mapping}/{filtering}")
    for protocol, places in EVERYWHERE:
        host = (places.hosts[0], 5000)
        external = site.open(protocol, host, remote(protocol, places.remotes[0], 80))
        known = remote(protocol, places.remotes[0], 80)
        assert site.answer(protocol, known, external) == "translated"
        assert site.seen().destination == host
        admitted = (
            site.admits(protocol, remote(protocol, places.remotes[0], 99), external),
            site.admits(protocol, remote(protocol, places.remotes[1], 80), external),
        )
        # For Echo the address is the endpoint: the "other port" is the remote already sent to.
        same_address = filtering != "apdf" or protocol == "icmp"
        assert (protocol, admitted) == (protocol, (same_address, filtering == "eif"))


@types(("adf", "apdf"))
def test_who_is_refused_is_counted_as_filtered_and_leaves_no_session(
    engine: Engine, mapping: str, filtering: str
) -> None:
    site = Site(engine, f"{mapping}/{filtering}")
    for count, (protocol, places) in enumerate(EVERYWHERE, 1):
        known = remote(protocol, places.remotes[0], 80)
        external = site.open(protocol, (places.hosts[0], 5000), known)
        stranger = remote(protocol, places.remotes[1], 80)
        assert site.attempt(protocol, stranger, external) == "filtered"
        assert site.dropped() == {"filtered": count}
        assert len(site.sessions()) == count


@NINE
def test_a_remote_that_was_sent_to_later_is_let_in_by_its_own_mapping(
    engine: Engine, mapping: str, filtering: str
) -> None:
    site = Site(engine, f"{mapping}/{filtering}")
    for protocol, places in EVERYWHERE:
        host = (places.hosts[0], 5000)
        first, second = (remote(protocol, address, 80) for address in places.remotes[:2])
        of_first = site.open(protocol, host, first)
        of_second = site.open(protocol, host, second)
        assert (of_first == of_second) == (mapping == "eim")
        for far, external in ((first, of_first), (second, of_second)):
            assert site.answer(protocol, far, external) == "translated"
            assert site.seen().source[0] == far[0]
            assert site.seen().destination == host


@types(("eif", "adf"))
def test_a_session_opened_from_outside_is_answered_by_the_same_mapping(
    engine: Engine, mapping: str, filtering: str
) -> None:
    site = Site(engine, f"{mapping}/{filtering}")
    for protocol, places in EVERYWHERE:
        if protocol == "icmp" and filtering == "adf":
            continue
        host = (places.hosts[0], 5000)
        external = site.open(protocol, host, remote(protocol, places.remotes[0], 80))
        caller = remote(protocol, places.remotes[filtering == "eif"], 777)
        assert site.attempt(protocol, caller, external) == "translated"
        assert site.seen().destination == host
        assert site.answer(protocol, host, caller) == "translated"
        assert site.seen().source == external
        # Whoever the inside answered may go on; what it opens itself takes this way too.
        assert site.open(protocol, host, caller) == external


@pytest.mark.parametrize("mapping", ["adm", "apdm"])
def test_a_session_the_inside_has_by_another_mapping_is_a_conflict(
    engine: Engine, mapping: str
) -> None:
    """The answers would leave by the other port, where the remote expects none."""
    site = Site(engine, f"{mapping}/eif")
    for protocol, places in EVERYWHERE:
        host = (places.hosts[0], 5000)
        first, second = (remote(protocol, address, 80) for address in places.remotes[:2])
        of_first = site.open(protocol, host, first)
        of_second = site.open(protocol, host, second)
        assert site.attempt(protocol, second, of_first) == "conflict"
        assert site.answer(protocol, second, of_second) == "translated"
        # Another remote endpoint has no session to be taken for.
        third = remote(protocol, places.remotes[2], 80)
        assert site.attempt(protocol, third, of_first) == "translated"
        # Now this is its way, so that the other one would be a conflict.
        assert site.attempt(protocol, third, of_second) == "conflict"
    assert site.dropped() == {"conflict": 2 * len(EVERYWHERE)}


@pytest.mark.parametrize("protocol", WITH_PORTS)
@pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
def test_a_conflict_is_over_when_the_other_session_has_expired(
    engine: Engine, protocol: str, places: Places
) -> None:
    site = Site(engine, "apdm/eif", timeouts={"tcp_opening": 60, "udp": 60, "icmp": 60})
    host = (places.hosts[0], 5000)
    first, second = (remote(protocol, address, 80) for address in places.remotes[:2])
    site.open(protocol, host, second)
    site.now = 59_999
    of_first = site.open(protocol, host, first)
    assert site.attempt(protocol, second, of_first) == "conflict"
    site.now = 60_000
    assert site.attempt(protocol, second, of_first) == "translated"
    assert site.open(protocol, host, second) == of_first
