"""Resets from outside count in the inside's receive window only (RFC 5961 section 3.2).

So whoever does not see a connection cannot shorten its session.  The window scale is RFC 7323's.
"""

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import tcp

LONG, SHORT = 7440, 60
FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
THEIRS, OURS = 5_000_000, 9_000_000  # what each side sends next
OTHERS = 3_000_000_000  # what the outside sends first in another connection
WORD = 1 << 32


def scale(shift: int) -> bytes:
    """A window scale option between others, as stacks send it."""
    return b"\x02\x04\x05\xb4\x01\x03\x03" + bytes([shift])


class Connection:
    """A connection that the inside, or with `called` the outside, opened.

    `ours` and `others` are the options of the SYN of the inside and of the outside.  After the
    handshake the inside expects `expected` and has said how large its window is.
    """

    def __init__(
        self,
        engine: Engine,
        ours: bytes = b"",
        others: bytes = b"",
        window: int = 1000,
        expected: int = THEIRS,
        called: bool = False,
        places: Places = V4,
        established: bool = True,
    ) -> None:
        self.site = Site(engine, "eim/eif", timeouts={"tcp_closing": SHORT})
        self.host: Endpoint = (places.hosts[0], 4000)
        self.far: Endpoint = (places.remotes[0], 80)
        self.expected, self.window = expected, window
        first = expected - 1
        if called:
            self.external = self.site.open("tcp", self.host, (places.remotes[9], 9))
            self.outside("S", first, options=others)
            self.inside("SA", options=ours)
            self.outside("A", expected)
        else:
            self.external = self.inside("S", options=ours)
            self.outside("SA", first, options=others)
        if established:
            self.inside("A")

    def inside(
        self,
        flags: str,
        options: bytes = b"",
        sequence: int = OURS,
        acknowledgment: int | None = None,
    ) -> Endpoint:
        """A segment that acknowledges all and announces the window."""
        number = self.expected if acknowledgment is None else acknowledgment
        segment = tcp(self.host, self.far, flags, sequence, number, self.window, options)
        return self.site.passes(segment).source

    def outside(self, flags: str, sequence: int, options: bytes = b"") -> None:
        segment = tcp(self.far, self.external, flags, sequence, OURS, 1000, options)
        # It is for the inside to judge what it gets: every segment is passed on.
        assert self.site.passes(segment).destination == self.host

    @property
    def row(self) -> tuple[str, int]:
        """State and remaining seconds."""
        return next(
            (row.state, row.expires) for row in self.site.sessions() if row.remote == self.far[0]
        )

    def is_reset_by(self, distance: int, flags: str = "R") -> bool:
        """Whether a reset this far from what the inside expects counts."""
        assert self.row == ("established", LONG)
        self.outside(flags, self.expected + distance)
        assert self.row in (("established", LONG), ("reset", SHORT))
        return self.row[0] == "reset"


@FAMILIES
@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("flags", ["R", "RA"])
def test_a_reset_counts_in_the_window_only(
    engine: Engine, places: Places, called: bool, flags: str
) -> None:
    for distance in (0, 1, 500, 999):
        assert Connection(engine, called=called, places=places).is_reset_by(distance, flags)
    for distance in (-1, -500, 1000, 1001, 70_000, 1 << 31, -(1 << 31)):
        assert not Connection(engine, called=called, places=places).is_reset_by(distance, flags)


def test_blind_resets_do_not_shorten_a_session(engine: Engine) -> None:
    connection = Connection(engine)
    for n in range(1, 1000):
        assert not connection.is_reset_by(n * 4_000_000)
    connection.site.now = 1000 * (LONG - 1)
    assert connection.site.passes(tcp(connection.far, connection.external, "A"))


def test_a_blind_reset_does_not_lengthen_a_session_either(engine: Engine) -> None:
    connection = Connection(engine)
    connection.site.now = 5_000_000
    connection.outside("R", THEIRS + 70_000)
    assert connection.row == ("established", LONG - 5_000)


def test_after_a_reset_in_the_window_the_session_is_gone_in_the_closing_time(
    engine: Engine,
) -> None:
    connection = Connection(engine)
    assert connection.is_reset_by(0)
    connection.site.now = SHORT * 1000
    segment = tcp(connection.far, connection.external, "A")
    assert connection.site.send(segment) == "not-syn"


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("shift", [0, 1, 7, 14])
def test_the_window_is_scaled_as_both_agreed(engine: Engine, shift: int, called: bool) -> None:
    agreed = {"ours": scale(shift), "others": scale(3), "called": called}
    size = 1000 << shift
    for distance, counts in ((0, True), (size - 1, True), (size, False), (-1, False)):
        connection = Connection(engine, **agreed)
        # What was said with the SYN is not scaled; it is what came after that counts.
        connection.inside("A")
        assert connection.is_reset_by(distance) == counts


@pytest.mark.parametrize("shift", [15, 200, 255])
def test_a_scale_above_14_is_14(engine: Engine, shift: int) -> None:
    """RFC 7323 section 2.3."""
    size = 1000 << 14
    for distance, counts in ((size - 1, True), (size, False)):
        connection = Connection(engine, ours=scale(shift), others=scale(0))
        assert connection.is_reset_by(distance) == counts


@pytest.mark.parametrize("called", [False, True])
def test_a_scale_the_other_side_does_not_offer_is_none(engine: Engine, called: bool) -> None:
    """RFC 7323 section 2.2: both SYNs must have it."""
    for distance, counts in ((999, True), (1000, False), (127_999, False)):
        connection = Connection(engine, ours=scale(7), others=b"", called=called)
        assert connection.is_reset_by(distance) == counts


@pytest.mark.parametrize("called", [False, True])
def test_the_other_sides_scale_is_not_the_insides(engine: Engine, called: bool) -> None:
    connection = Connection(engine, ours=b"", others=scale(7), called=called)
    assert not connection.is_reset_by(1000)


def test_before_the_insides_first_ack_there_is_nothing_to_reset(engine: Engine) -> None:
    connection = Connection(engine, established=False)
    for distance in (0, 1000, -1):
        connection.outside("R", THEIRS + distance)
        assert connection.row == ("server-acked", 240)


def test_after_a_new_handshake_from_outside_its_numbers_count(engine: Engine) -> None:
    for distance, counts in ((0, True), (999, True), (1000, False), (-1, False)):
        connection = Connection(engine)
        connection.outside("FA", THEIRS)
        connection.inside("FA")
        connection.outside("S", OTHERS - 1)
        connection.inside("SA", acknowledgment=OTHERS)
        connection.outside("A", OTHERS)
        assert connection.is_reset_by(OTHERS - THEIRS + distance) == counts


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("side", ["inside", "outside"])
@pytest.mark.parametrize("ended", ["nobody", "inside", "outside"])
def test_with_a_new_handshake_the_window_begins_anew(
    engine: Engine, ended: str, side: str, called: bool
) -> None:
    """Also where one side's end was seen only, or none; and so do the scales."""
    for distance, counts in ((0, True), (1000, False), (-1, False), (THEIRS - OTHERS, False)):
        connection = Connection(engine, ours=scale(7), others=scale(7), called=called)
        if ended == "inside":
            connection.inside("FA")
        elif ended == "outside":
            connection.outside("FA", THEIRS)
        if side == "inside":
            connection.inside("S", scale(7))
            connection.outside("SA", OTHERS - 1)
        else:
            connection.outside("S", OTHERS - 1)
            connection.inside("SA", acknowledgment=OTHERS)
            connection.outside("A", OTHERS)
        connection.inside("A", acknowledgment=OTHERS)
        assert connection.is_reset_by(OTHERS - THEIRS + distance) == counts


@pytest.mark.parametrize("ended", ["nobody", "inside", "outside"])
def test_a_syn_from_outside_alone_neither_ends_nor_shortens_nor_moves_the_window(
    engine: Engine, ended: str
) -> None:
    """RFC 5961 section 4: the inside answers it with a challenge ACK."""
    connection = Connection(engine)
    if ended == "inside":
        connection.inside("FA")
    elif ended == "outside":
        connection.outside("FA", THEIRS)
    before = connection.row
    for flags in ("S", "SA"):
        connection.outside(flags, OTHERS - 1, scale(14))
        connection.inside("A")
        assert connection.row == before and before[1] == LONG
        connection.outside("R", OTHERS)
        assert connection.row == before
    connection.outside("R", THEIRS)
    assert connection.row == ("reset", SHORT)


@pytest.mark.parametrize("called", [False, True])
def test_who_has_asked_anew_takes_any_reset(engine: Engine, called: bool) -> None:
    """RFC 9293 section 3.10.7.3: a refusal has the number 0 and acknowledges the SYN."""
    connection = Connection(engine, called=called)
    connection.inside("S")
    assert connection.row == ("established", LONG)
    connection.outside("RA", 0)
    assert connection.row == ("reset", SHORT)


def test_the_window_of_a_syn_is_not_scaled(engine: Engine) -> None:
    """RFC 7323 section 2.2: until the next segment the window is as it stands there."""
    for distance, counts in ((999, True), (1000, False)):
        connection = Connection(
            engine, ours=scale(7), others=scale(7), called=True, established=False
        )
        assert connection.is_reset_by(distance) == counts


@pytest.mark.parametrize(
    "options", [b"\x03\x02\x07\x01", b"\x03\x04\x07\x07", b"\x03\x00\x07\x01", b"\x03\x09\x07\x01"]
)
def test_a_malformed_scale_is_none(engine: Engine, options: bytes) -> None:
    assert not Connection(engine, ours=options, others=scale(7)).is_reset_by(1000)


@pytest.mark.parametrize("called", [False, True])
def test_with_a_closed_window_only_the_very_next_number_counts(
    engine: Engine, called: bool
) -> None:
    """RFC 9293 section 3.10.7.4: a segment of no length at the next number is acceptable."""
    for distance, counts in ((0, True), (1, False), (-1, False)):
        connection = Connection(engine, window=0, called=called)
        assert connection.is_reset_by(distance) == counts


@pytest.mark.parametrize("expected", [WORD - 500, WORD - 1, 0, 1, 1 << 31])
def test_sequence_numbers_wrap_around(engine: Engine, expected: int) -> None:
    for distance, counts in ((0, True), (999, True), (1000, False), (-1, False)):
        connection = Connection(engine, expected=expected)
        assert connection.is_reset_by(distance) == counts


def test_the_largest_window_wraps_around_too(engine: Engine) -> None:
    for distance, counts in ((0, True), ((65535 << 14) - 1, True), (65535 << 14, False)):
        connection = Connection(
            engine, ours=scale(14), others=scale(14), window=65535, expected=WORD - 7
        )
        assert connection.is_reset_by(distance) == counts


def test_the_window_moves_with_what_the_inside_acknowledges(engine: Engine) -> None:
    connection = Connection(engine)
    connection.expected += 800
    connection.inside("A")
    assert not connection.is_reset_by(-1)
    assert connection.is_reset_by(999)


def test_the_window_opens_and_closes_with_what_the_inside_says(engine: Engine) -> None:
    connection = Connection(engine)
    for window, inside, beyond in ((10, 9, 10), (20_000, 19_999, 20_000)):
        connection.window = window
        connection.inside("PA")
        assert not connection.is_reset_by(beyond)
        assert connection.is_reset_by(inside)
        connection.inside("A")  # which brings the session back


def test_what_outsiders_send_does_not_move_the_window(engine: Engine) -> None:
    connection = Connection(engine)
    for n in range(100):
        connection.outside("PA", THEIRS + 100_000 * n)
    assert not connection.is_reset_by(9_900_000)


def test_a_segment_without_ack_says_nothing_about_the_window(engine: Engine) -> None:
    """The number there is meaningless (RFC 9293 section 3.1)."""
    connection = Connection(engine)
    segment = tcp(connection.host, connection.far, "R", OURS, 0, 65535)
    connection.site.passes(segment)
    connection.site.passes(tcp(connection.far, connection.external, "A", THEIRS))
    assert connection.is_reset_by(999)


@pytest.mark.parametrize("options", [b"", scale(14)])
def test_a_syn_in_the_middle_of_a_connection_does_not_change_the_scale(
    engine: Engine, options: bytes
) -> None:
    """RFC 7323 section 2.2: it is fixed when the connection is opened; a late SYN may be forged."""
    for distance, counts in ((127_999, True), (128_000, False)):
        connection = Connection(engine, ours=scale(7), others=scale(7))
        connection.outside("S", THEIRS + 1_000_000_000, options)
        assert connection.is_reset_by(distance) == counts


def test_the_insides_resets_count_whatever_their_number(engine: Engine) -> None:
    for sequence in (OURS, 0, 1 << 31):
        for flags in ("R", "RA"):
            connection = Connection(engine)
            connection.inside(flags, sequence=sequence)
            assert connection.row == ("reset", SHORT)


def test_a_half_closed_connection_is_reset_in_the_window_only(engine: Engine) -> None:
    for side in ("inside", "outside"):
        connection = Connection(engine)
        if side == "inside":
            connection.inside("FA")
        else:
            connection.outside("FA", THEIRS)
        state = connection.row
        assert state[1] == LONG
        connection.outside("R", THEIRS + 1000)
        assert connection.row == state
        connection.outside("R", THEIRS + 1)
        assert connection.row == ("reset", SHORT)


def test_what_is_no_reset_is_not_judged_by_the_window(engine: Engine) -> None:
    """A keep-alive lies just before the window, and the session lives by it."""
    connection = Connection(engine)
    connection.site.now = 1_000_000
    connection.outside("A", THEIRS - 1)
    assert connection.row == ("established", LONG)
