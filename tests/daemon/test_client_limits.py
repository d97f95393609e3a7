"""Who gets a place at the control socket: root and the owner always, the others their share."""

from __future__ import annotations

import pytest

from ratsnake.daemon.control.client_limits import Place, may_stream, room_for
from ratsnake.daemon.control.control_protocol import (
    CLIENTS,
    CLIENTS_OF_USER,
    IDLE_SECONDS,
    WATCHERS,
)

ROOT, GUEST = 0, 1000


def guests(count: int, *, user: int | None = None, idle: bool = True) -> list[Place]:
    """Of one user or of as many, the first the longest there."""
    return [Place(GUEST + n if user is None else user, False, n / 1000, idle) for n in range(count)]


def root(count: int, idle: bool = True) -> list[Place]:
    return [Place(ROOT, True, n / 1000, idle) for n in range(count)]


@pytest.mark.parametrize("idle", [True, False])
def test_however_many_others_there_are_root_and_the_owner_have_their_places(idle: bool) -> None:
    taken = guests(CLIENTS, idle=idle)
    for _ in range(CLIENTS):
        place = Place(ROOT, True, 100.0, idle)
        assert room_for(place, taken) == (None, "")
        taken.append(place)
    assert room_for(Place(GUEST, False, 0.1), root(CLIENTS)) == (None, "")


def test_of_the_others_each_has_a_share() -> None:
    taken = guests(CLIENTS_OF_USER, user=GUEST, idle=False)
    place, why = room_for(Place(GUEST, False, 100.0), taken)
    assert place is None
    assert why == f"{CLIENTS_OF_USER} clients of yours are being served already; try again"
    assert room_for(Place(GUEST + 1, False, 100.0), taken) == (None, "")


@pytest.mark.parametrize(
    ("newcomer", "taken"),
    [
        (Place(GUEST + 100, False, 100.0), guests(CLIENTS)),
        (Place(GUEST, False, 100.0), guests(CLIENTS_OF_USER, user=GUEST)),
        (Place(ROOT, True, 100.0), root(CLIENTS)),
    ],
)
def test_who_has_sent_no_request_makes_room_the_first_of_them_first(
    newcomer: Place, taken: list[Place]
) -> None:
    taken[0].idle = False
    assert room_for(newcomer, taken) == (taken[1], "")
    for place in taken:
        place.idle = False
    leaving, why = room_for(newcomer, taken)
    assert leaving is None and why.endswith("are being served already; try again")


def test_one_user_takes_no_place_of_anothers() -> None:
    mine = guests(CLIENTS_OF_USER, user=GUEST, idle=False)
    others = [Place(GUEST + 1, False, 0.0) for _ in range(CLIENTS - CLIENTS_OF_USER)]
    leaving, why = room_for(Place(GUEST, False, 100.0), [*mine, *others])
    assert leaving is None and "of yours" in why


def test_who_has_just_come_is_given_the_time_to_ask() -> None:
    taken = [Place(ROOT, True, 5.0) for _ in range(CLIENTS)]
    assert room_for(Place(ROOT, True, 5.0 + IDLE_SECONDS / 2), taken)[1]
    assert room_for(Place(ROOT, True, 5.0 + IDLE_SECONDS), taken) == (taken[0], "")


def test_the_last_stream_is_kept_for_root_and_the_owner() -> None:
    streaming = guests(WATCHERS - 2, idle=False)
    assert may_stream(Place(GUEST, False, 0.0), streaming)
    streaming += guests(1, idle=False)
    assert not may_stream(Place(GUEST, False, 0.0), streaming)
    assert may_stream(Place(ROOT, True, 0.0), streaming)
    assert may_stream(Place(GUEST, False, 0.0), root(WATCHERS - 1))
