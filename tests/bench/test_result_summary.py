"""Medians, spreads and ratios, by hand."""

import pytest

from bench.results import result
from ratsnake.bench.result_summary import middle, noise, ratio, spread

RATE = "tcp-1-out"
THREE = (
    {"ratsnake": {RATE: 10.0}, "null": {RATE: 20.0}},
    {"ratsnake": {RATE: 30.0}, "null": {RATE: 10.0}},
    {"ratsnake": {RATE: 12.0}, "null": {RATE: 12.0}},
)


def test_the_median_over_the_rounds() -> None:
    assert middle(result(*THREE), "ratsnake", RATE) == 12.0
    assert middle(result(*THREE[:2]), "ratsnake", RATE) == 20.0
    assert middle(result(*THREE), "masquerade", RATE) is None
    assert middle(result(*THREE), "ratsnake", "udp-rate") is None


def test_a_round_without_a_value_does_not_count() -> None:
    rounds = (*THREE, {"ratsnake": {}, "null": {RATE: 99.0}})
    assert middle(result(*rounds), "ratsnake", RATE) == 12.0
    assert ratio(result(*rounds), RATE, "ratsnake", "null") == 1.0


def test_the_spread_is_the_median_absolute_deviation_of_the_median() -> None:
    assert spread(result(*THREE), "ratsnake", RATE) == pytest.approx(2 / 12)
    assert spread(result(THREE[0]), "ratsnake", RATE) is None
    nothing = ({"ratsnake": {RATE: 0.0}}, {"ratsnake": {RATE: 0.0}})
    assert spread(result(*nothing), "ratsnake", RATE) is None


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """The ratio of the medians is another: 12 / 12."""
    rounds = (*THREE[:2], {"ratsnake": {RATE: 12.0}, "null": {RATE: 15.0}})
    assert ratio(result(*rounds), RATE, "ratsnake", "null") == pytest.approx(0.8)
    assert ratio(result(*rounds), RATE, "null", "ratsnake") == pytest.approx(1.25)


def test_there_is_no_ratio_to_nothing() -> None:
    assert ratio(result(*THREE), RATE, "ratsnake", "masquerade") is None
    assert (
        ratio(result({"ratsnake": {RATE: 1.0}, "null": {RATE: 0.0}}), RATE, "ratsnake", "null")
        is None
    )


def test_the_noise_is_the_median_of_the_compared_spreads() -> None:
    rounds = (
        {"null": {RATE: 10.0, "udp-rate": 100.0, "udp-flood": 10.0, "flows-loss": 1.0}},
        {"null": {RATE: 10.2, "udp-rate": 100.0, "udp-flood": 30.0, "flows-loss": 9.0}},
    )
    assert noise(result(*rounds), "null") == pytest.approx(0.1 / 10.1)
    assert noise(result(rounds[0]), "null") is None
