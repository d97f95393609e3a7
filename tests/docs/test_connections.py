"""The tables of docs/connections.md are those of the engine."""

from pathlib import Path

import pytest

from ratsnake.nat.rules import connection

DOCUMENT = (Path(__file__).parents[2] / "docs/connections.md").read_text()
EVENTS = {
    "SYN": connection.SYN,
    "SYN-ACK": connection.SYN_ACK,
    "FIN": connection.FIN,
    "RST": connection.RST,
    "other": connection.OTHER,
}
TIMERS = {"opening": 2, "established": 1, "closing": 3}


@pytest.mark.parametrize("side", ["client", "server"])
def test_every_cell_is_what_the_engine_does(side: str) -> None:
    lines = DOCUMENT.split(f"From the {side}:")[1].split("\n\n")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0][2:] == list(EVENTS)
    assert {row[0] for row in rows[2:]} == set(connection.STATE_NAMES[1:])
    for name, timer, *cells in rows[2:]:
        state = connection.STATE_NAMES.index(name)
        assert connection.TIMER_OF_STATE[state] == TIMERS[timer]
        for event, cell in zip(EVENTS.values(), cells, strict=True):
            key = (state, getattr(connection, side.upper()), event)
            follows = cell.removesuffix(" ¹")
            assert connection.TRANSITIONS.get(key, state) == (
                state if follows == "–" else connection.STATE_NAMES.index(follows)
            )
