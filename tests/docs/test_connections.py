"""The tables of docs/connections.md are those of the engine."""

from pathlib import Path

import pytest

from ratsnake.nat.rules import connection_states

DOCUMENT = (Path(__file__).parents[2] / "docs/connections.md").read_text()
EVENTS = {
    "SYN": connection_states.SYN,
    "SYN-ACK": connection_states.SYN_ACK,
    "FIN": connection_states.FIN,
    "RST": connection_states.RST,
    "other": connection_states.OTHER,
}
TIMERS = {"opening": 2, "established": 1, "closing": 3}


@pytest.mark.parametrize("side", ["client", "server"])
def test_every_cell_is_what_the_engine_does(side: str) -> None:
    lines = DOCUMENT.split(f"From the {side}:")[1].split("\n\n")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0][2:] == list(EVENTS)
    assert {row[0] for row in rows[2:]} == set(connection_states.STATE_NAMES[1:])
    for name, timer, *cells in rows[2:]:
        state = connection_states.STATE_NAMES.index(name)
        assert connection_states.TIMER_OF_STATE[state] == TIMERS[timer]
        for event, cell in zip(EVENTS.values(), cells, strict=True):
            key = (state, getattr(connection_states, side.upper()), event)
            follows = cell.removesuffix(" ¹")
            assert connection_states.TRANSITIONS.get(key, state) == (
                state if follows == "–" else connection_states.STATE_NAMES.index(follows)
            )
