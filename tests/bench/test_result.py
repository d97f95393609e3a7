"""The JSON of a result: what is in it, that it comes back, and what is refused."""

import json

import pytest

from bench.results import ENGINE, result
from ratsnake.bench.result import FORMAT, Failure, from_json

VALUES = {"ratsnake": {"tcp-1-out": 12.5}, "null": {"tcp-1-out": 13.0}}


def test_it_comes_back_as_it_was() -> None:
    failure = Failure(1, "flows", "null", "of 50000 flows 3 could be opened")
    whole = result(VALUES, VALUES, peer=True, failures=(failure,), engine=ENGINE)
    assert from_json(whole.to_json()) == whole
    assert from_json(result().to_json()) == result()


def test_every_value_of_every_round_is_in_it() -> None:
    told = json.loads(result(VALUES, VALUES, peer=True, engine=ENGINE).to_json())
    assert set(told) == {
        "format",
        "date",
        "quick",
        "machine",
        "versions",
        "commands",
        "rounds",
        "failures",
        "seconds",
        "engine",
    }
    assert told["format"] == FORMAT
    assert [one["values"] for one in told["rounds"]] == [VALUES, VALUES]
    assert told["rounds"][0]["busy"] == 0.01
    assert told["commands"]["other"] == "exec other --tun"
    assert told["engine"]["memory"]["bytes_a_session"] == 159.6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "it has no format"),
        ("{}", "it has no format"),
        ('{"format": 99}', "another version"),
        ('{"format": 1}', "is no result"),
        ('{"format": 1, "rounds": [{"x": 1}], "failures": []}', "is no result"),
    ],
)
def test_what_is_no_result_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        from_json(text)
    assert "\n" not in str(caught.value)
