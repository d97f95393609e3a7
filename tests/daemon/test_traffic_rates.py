"""Rates: how fast counters have gone up in the last few looks."""

from typing import Any

from ratsnake.daemon.views.traffic_rates import WINDOW, Rates


def counters(n: int) -> dict[str, Any]:
    return {
        "outbound": {"packets": n, "bytes": 100 * n},
        "inbound": {"packets": 2 * n, "bytes": 0},
        "icmp_errors_sent": 5,
        "mappings_made": n,
        "sessions_opened": 3 * n,
        "dropped": {"filtered": n, "no-port": n},
    }


def test_there_are_none_before_there_is_a_difference() -> None:
    rates = Rates()
    assert rates.now() is None
    rates.note(10.0, counters(5))
    assert rates.now() is None
    rates.note(10.0, counters(6))
    assert rates.now() is None


def test_rates_are_a_second() -> None:
    rates = Rates()
    rates.note(10.0, counters(0))
    rates.note(12.0, counters(9))
    assert rates.now() == {
        "outbound": {"packets": 4.5, "bytes": 450.0},
        "inbound": {"packets": 9.0, "bytes": 0.0},
        "mappings_made": 4.5,
        "sessions_opened": 13.5,
        "dropped": 9.0,
    }


def test_what_is_long_ago_does_not_count() -> None:
    rates = Rates()
    rates.note(0.0, counters(0))
    for second in range(1, WINDOW + 2):
        rates.note(float(second), counters(1000))
    shown = rates.now()
    assert shown is not None
    assert shown["outbound"]["packets"] == 0.0
