"""The notation of NAT types: what it says, that `str` writes it, and what contradicts itself."""

from itertools import product
from typing import Any

import pytest

from support.flavours import load

MODULE = load("interpreted").modules["nat.rules.behaviour"]
Behaviour, Mapping, Filtering = MODULE.Behaviour, MODULE.Mapping, MODULE.Filtering
Sharing, Selection = MODULE.Sharing, MODULE.Selection
MAPPINGS = {"eim": Mapping.EIM, "adm": Mapping.ADM, "apdm": Mapping.APDM}
FILTERS = {"eif": Filtering.EIF, "adf": Filtering.ADF, "apdf": Filtering.APDF}
WORDS: dict[str, dict[str, Any]] = {
    "exclusive": {"sharing": Sharing.EXCLUSIVE},
    "overload": {"sharing": Sharing.OVERLOAD},
    "distinct": {"sharing": Sharing.DISTINCT},
    "preserve": {"selection": Selection.PRESERVE},
    "random": {"selection": Selection.RANDOM},
    "sequential": {"selection": Selection.SEQUENTIAL},
    "sticky": {"sticky": True},
    "parity": {"parity": True},
}
# What each preset stands for, in the notation.
PRESETS = {
    "full-cone": "eim/eif",
    "restricted-cone": "eim/adf",
    "port-restricted-cone": "eim/apdf",
    "quasi-restricted-cone": "adm/adf+overload+sticky",
    "quasi-port-restricted-cone": "apdm/apdf+overload+sticky",
    "quasi-symmetric": "apdm/apdf+overload",
    "symmetric-address": "adm/adf+distinct+sequential",
    "symmetric": "apdm/apdf+distinct+sequential",
}


def parse(text: str) -> Any:
    return MODULE.parse_behaviour(text)


def refused(text: str) -> str:
    """Why it is refused, in one line."""
    with pytest.raises(ValueError) as caught:
        parse(text)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def everything() -> list[Any]:
    """Every behaviour that can be."""
    found = []
    for fields in product(Mapping, Filtering, Sharing, Selection, (False, True), (False, True)):
        mapping, filtering, sharing, _, sticky, _ = fields
        shared = sharing is not Sharing.EXCLUSIVE
        if shared and (mapping is Mapping.EIM or filtering is Filtering.EIF):
            continue
        if sharing is Sharing.DISTINCT and sticky:
            continue
        found.append(Behaviour(*fields))
    return found


@pytest.mark.parametrize(("mapping", "filtering"), [*product(MAPPINGS, FILTERS)])
def test_without_words_ports_are_exclusive_and_random(mapping: str, filtering: str) -> None:
    expected = Behaviour(
        MAPPINGS[mapping], FILTERS[filtering], Sharing.EXCLUSIVE, Selection.RANDOM, False, False
    )
    assert parse(f"{mapping}/{filtering}") == expected


@pytest.mark.parametrize("word", WORDS)
def test_every_word_says_its_one_thing(word: str) -> None:
    expected = Behaviour(Mapping.APDM, Filtering.APDF, **WORDS[word])
    assert parse(f"apdm/apdf+{word}") == expected


def test_words_stand_in_any_order() -> None:
    expected = Behaviour(
        Mapping.APDM, Filtering.ADF, Sharing.OVERLOAD, Selection.PRESERVE, True, True
    )
    for words in ("overload+preserve+sticky+parity", "parity+sticky+preserve+overload"):
        assert parse(f"apdm/adf+{words}") == expected


def test_letters_may_be_large() -> None:
    assert parse("APDM/adf+Overload") == parse("apdm/adf+overload")


def test_every_preset_is_a_name_for_what_can_be_written_out() -> None:
    assert list(MODULE.PRESETS) == list(PRESETS)
    for name, text in PRESETS.items():
        assert parse(name) == parse(text) == MODULE.PRESETS[name].behaviour


def test_str_is_read_back_for_everything_that_can_be() -> None:
    behaviours = everything()
    # Nine with exclusive ports, four that can share; three ways to select; parity doubles all, and
    # so does sticky but for distinct.
    assert len(behaviours) == 9 * 3 * 4 + 4 * 3 * 4 + 4 * 3 * 2
    texts = [str(behaviour) for behaviour in behaviours]
    assert len(set(texts)) == len(texts)
    assert [parse(text) for text in texts] == behaviours


def test_str_names_all_that_matters() -> None:
    assert str(parse("eim/adf")) == "eim/adf+exclusive+random"
    text = "apdm/apdf+overload+sequential+sticky+parity"
    assert str(parse(text)) == text


@pytest.mark.parametrize("sharing", ["overload", "distinct"])
@pytest.mark.parametrize(("mapping", "filtering"), [*product(MAPPINGS, FILTERS)])
def test_ports_can_be_shared_where_a_packet_tells_the_sharers_apart(
    mapping: str, filtering: str, sharing: str
) -> None:
    text = f"{mapping}/{filtering}+{sharing}"
    if mapping != "eim" and filtering != "eif":
        assert parse(text).sharing is WORDS[sharing]["sharing"]
        return
    assert refused(text).startswith(
        f"{mapping.upper()} mapping with {filtering.upper()} filtering needs exclusive ports"
    )


def test_sticky_contradicts_distinct() -> None:
    assert refused("apdm/apdf+distinct+sticky").startswith("sticky contradicts distinct")


SHARINGS = ("exclusive", "overload", "distinct")
SELECTIONS = ("preserve", "random", "sequential")


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        *((a, b, "share") for a, b in product(SHARINGS, SHARINGS) if a != b),
        *((a, b, "choose") for a, b in product(SELECTIONS, SELECTIONS) if a != b),
    ],
)
def test_two_ways_of_one_thing_are_refused(one: str, other: str, what: str) -> None:
    message = refused(f"apdm/apdf+{one}+{other}")
    assert message == f"{one} and {other} are two ways to {what} ports; right is one of them"


@pytest.mark.parametrize("word", WORDS)
def test_a_word_stands_once(word: str) -> None:
    assert refused(f"apdm/apdf+{word}+{word}") == f"{word!r} stands twice"


def test_a_word_that_is_none_is_named_with_those_that_are() -> None:
    message = refused("eim/adf+stick")
    assert message.startswith("'stick' says nothing about ports")
    assert all(word in message for word in WORDS)
    assert refused("eim/adf+").startswith("'' says nothing about ports")


def test_a_mapping_or_filtering_that_is_none_is_named_with_those_that_are() -> None:
    assert refused("eif/adf") == "'eif' is no mapping; it is one of eim, adm, apdm"
    assert refused("eim/apdm") == "'apdm' is no filtering; it is one of eif, adf, apdf"
    assert refused("/adf") == "'' is no mapping; it is one of eim, adm, apdm"
    assert refused("eim/") == "'' is no filtering; it is one of eif, adf, apdf"
    assert "no filtering" in refused("eim/adf/adf")


def test_a_type_nobody_knows_gets_the_nearest_name_or_the_notation() -> None:
    assert refused("fullcone").endswith("did you mean full-cone?")
    message = refused("zzz")
    assert "ratsnake types" in message and "MAPPING/FILTERING" in message
    assert refused("") == message
