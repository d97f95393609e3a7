"""cli/watch.py: each event on one line, with all that it tells."""

from __future__ import annotations

import pytest

from ratsnake.cli.watch import PARTS, _shown
from ratsnake.daemon.configuration.event_kinds import KIND_OF

AT = {"time": "2026-01-31T12:00:00.000Z"}


@pytest.mark.parametrize("event", [*KIND_OF, "lost"])
def test_no_event_is_shown_by_its_name_alone(event: str) -> None:
    assert event in PARTS


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            {"event": "host-restored", "change": "ip rule add x"},
            "host-restored       ip rule add x",
        ),
        (
            {"event": "host-problem", "problem": "lan0 is down", "command": "ip link set lan0 up"},
            "host-problem        lan0 is down: type `ip link set lan0 up`",
        ),
        (
            {"event": "host-problem", "problem": "wan0 is gone", "command": None},
            "host-problem        wan0 is gone",
        ),
        ({"event": "host-right", "problem": "lan0 is down"}, "host-right          lan0 is down"),
    ],
)
def test_events_of_the_host(event: dict[str, str], shown: str) -> None:
    assert _shown({**AT, **event}).partition(" ")[2] == shown
