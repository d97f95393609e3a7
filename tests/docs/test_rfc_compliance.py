"""docs/rfc-compliance.md leaves no requirement out, and what it names as tests are tests."""

import pytest

from support.collected import ROOT, Collected, collected_in, described
from support.compliance import (
    REQUIREMENTS,
    STATES,
    STRENGTHS,
    anchors,
    links,
    mistakes,
    read_rows,
)

DOCS = ROOT / "docs"
PAGE = (DOCS / "rfc-compliance.md").read_text()
ROWS = read_rows(PAGE)


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest) -> Collected:
    """The tests there are: those of this run, and those of files this run leaves out."""
    found = described(request.session.items)
    files = {test.partition("::")[0] for row in ROWS for test in row.tests if test not in found}
    return {**found, **collected_in(files)}


def test_every_requirement_has_a_row_whose_tests_exist_and_run(collected: Collected) -> None:
    assert mistakes(PAGE, collected) == []


def test_every_row_says_how_strong_the_requirement_is() -> None:
    # RFC 7857 section 12 explains, and asks for nothing of its own.
    weak = [str(row) for row in ROWS if not STRENGTHS.search(row.asks)]
    assert weak == ["RFC 7857 12"]


def test_every_link_leads_somewhere() -> None:
    for link in links(PAGE):
        file, _, heading = link.partition("#")
        text = (DOCS / file).read_text() if file else PAGE
        assert not heading or heading in anchors(text), link


# An invented page of one RFC, for what is done to it below.
TESTS = "`tests/a/test_b.py::test_c`<br>`tests/a/test_b.py::test_d`"
ROW = "| REQ-2 | MAY do that. | by choice not | Because. | |"
SMALL = f"""
| | met | by choice not | not applicable |
|---|---|---|---|
| [RFC 4787: unicast UDP](#x) | 1 | 1 | 0 |

## RFC 4787: unicast UDP

| no. | asks | state | how, or why not | tests |
|---|---|---|---|---|
| REQ-1 | MUST do this. | met | | {TESTS} |
{ROW}
"""
KNOWN: Collected = {
    "tests/a/test_b.py::test_c": {"parametrize"},
    "tests/a/test_b.py::test_d": set(),
}


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are these two requirements only."""
    monkeypatch.setattr("support.compliance.REQUIREMENTS", {"4787": ("REQ-1", "REQ-2")})


@pytest.mark.usefixtures("two")
def test_the_checker_finds_nothing_where_nothing_is_wrong() -> None:
    assert mistakes(SMALL, KNOWN) == []


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("test_c", "test_x", "RFC 4787 REQ-1: there is no test tests/a/test_b.py::test_x"),
        ("::test_c", "", "RFC 4787 REQ-1: there is no test tests/a/test_b.py"),
        (TESTS, "", "RFC 4787 REQ-1: met, and no test shows it"),
        ("| met | |", "| mostly | |", "RFC 4787 REQ-1: state 'mostly'"),
        ("Because.", "", "RFC 4787 REQ-2: by choice not, and no reason is given"),
        (ROW, "", "RFC 4787 REQ-2: 0 rows"),
        (ROW, f"{ROW}\n{ROW}", "RFC 4787 REQ-2: 2 rows"),
        ("REQ-2", "REQ-2a", "RFC 4787 REQ-2a: no such requirement"),
        ("| 1 | 1 |", "| 2 | 0 |", "RFC 4787: the summary says"),
    ],
)
def test_the_checker_finds(old: str, new: str, mistake: str) -> None:
    assert old in SMALL
    found = mistakes(SMALL.replace(old, new, 1), KNOWN)
    assert any(one.startswith(mistake) for one in found), found


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("mark", ["skip", "xfail"])
def test_the_checker_finds_a_test_that_does_not_run(mark: str) -> None:
    known = {**KNOWN, "tests/a/test_b.py::test_c": {mark}}
    assert mistakes(SMALL, known) == ["RFC 4787 REQ-1: tests/a/test_b.py::test_c does not run"]


def test_the_checker_finds_a_test_that_was_renamed(collected: Collected) -> None:
    """On the page itself: each named test matters."""
    named = {test for row in ROWS for test in row.tests}
    assert named <= collected.keys()
    for test in named:
        without = {name: marks for name, marks in collected.items() if name != test}
        assert any(one.endswith(f"no test {test}") for one in mistakes(PAGE, without))


def test_collecting_in_another_process_tells_tests_and_marks() -> None:
    here = "tests/docs/test_rfc_compliance.py"
    found = collected_in([here, "tests/docs/test_nothing.py"])
    assert found[f"{here}::test_the_checker_finds"] == {"parametrize", "usefixtures"}
    assert collected_in(["tests/docs/test_nothing.py"]) == {}


def test_the_rfcs_and_states_are_those_of_the_page() -> None:
    assert {row.rfc for row in ROWS} == set(REQUIREMENTS)
    assert {row.state for row in ROWS} == set(STATES)
