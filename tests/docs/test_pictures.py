"""The README's pictures show what the program shows now, and show it in every viewer."""

import re
from xml.etree import ElementTree

import pytest

from ratsnake.cli.top_screen import KEYS, MEANINGS, is_heading, screen
from ratsnake.cli.top_snapshot import Choice, Look
from ratsnake.lab import EXPECTED, Observation
from ratsnake.lab.demo_table import Row, table
from ratsnake.lab.ping_and_traceroute import Hop
from ratsnake.lab.topology import ROUTER_NAT
from ratsnake.lab.traffic_generator import Transfer
from support.picture import SVG, drawing, picture, shown, texts
from support.player import STATUS

PICTURES = ("demo", "top")
AGAIN = "make pictures"  # what to do where a test here fails


def words(line: str) -> str:
    """A line whatever its numbers, and however wide they make its columns."""
    return " ".join(re.sub(r"\d+(\.\d+)?", "N", line).split())


def as_expected(name: str) -> Row:
    expected = EXPECTED[name]
    seen = Observation(expected.alone, expected.filtering, expected.ports, ())
    hop = Hop(ROUTER_NAT, arrived=False)
    return Row(name, seen, expected.contested, 0.0001, Transfer(64 << 20, 1.0), 10, hop)


def test_the_demos_table_is_that_of_the_demo() -> None:
    wanted = table([as_expected(name) for name in EXPECTED], coloured=False)
    lines = [words(line) for line in shown(picture("demo")) if line.strip()]
    expected = [words(line) for line in wanted.splitlines() if line.strip()]
    start = lines.index(expected[0])
    assert lines[start : start + len(expected)] == expected, AGAIN
    count = len(EXPECTED)
    assert lines[0].startswith("ratsnake demo as ")
    assert [line.split()[0] for line in lines[1:start]] == [words(name) for name in EXPECTED]
    assert all(line.endswith(" contested ok") for line in lines[1:start])
    assert re.search(rf"{count} of {count} types as expected", shown(picture("demo"))[-1])


def test_tops_headings_are_those_of_top() -> None:
    look = Look(STATUS, STATUS["rates"], {}, [], [])
    wanted = [words(line) for line in screen(look, Choice(), 80, 24)]
    lines = shown(picture("top"))
    assert len(lines) == 24, AGAIN
    assert [words(line) for line in lines if is_heading(line)] == [
        heading for heading in wanted if is_heading(heading)
    ], AGAIN
    assert lines[-1] == KEYS, AGAIN
    assert re.fullmatch(r"ratsnake N.N on ratsnake, up Ns", words(lines[0]))
    for shown_line, made in zip(lines[1:3], wanted[1:3], strict=True):
        units = r"[^\W\d_]*bit/s"
        assert re.sub(units, "bit/s", words(shown_line)) == re.sub(units, "bit/s", made), AGAIN


def test_tops_drops_are_explained_as_now() -> None:
    lines = shown(picture("top"))
    first = next(n for n, line in enumerate(lines) if line.startswith("DROPPED"))
    drops = [line for line in lines[first + 1 : -1] if line]
    assert len(drops) >= 2
    for line in drops:
        reason, _, _, *because = line.split()
        assert MEANINGS[reason].startswith(" ".join(because).removesuffix(" ...")), AGAIN


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_needs_nothing_from_elsewhere(name: str) -> None:
    elements = list(ElementTree.fromstring(picture(name)).iter())
    kinds = {element.tag.removeprefix(SVG) for element in elements}
    assert kinds <= {"svg", "title", "rect", "path", "circle", "text", "g"}
    assert picture(name).count("://") == 1  # the namespace
    assert "url(" not in picture(name)


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_leaves_its_window_whatever_the_font(name: str) -> None:
    width, height = map(int, ElementTree.fromstring(picture(name)).attrib["viewBox"].split()[2:])
    for piece in texts(picture(name)):
        assert float(piece.attrib["x"]) + float(piece.attrib["textLength"]) < width
        assert float(piece.attrib["y"]) < height


def test_what_is_drawn_is_what_the_screen_had() -> None:
    green, bar = drawing.Style("green", bold=True), drawing.Style(reverse=True)
    cells = [
        [*((char, drawing.PLAIN) for char in "a <b> & c    d  e f"), ("k", green)],
        [(char, bar) for char in "q quit".ljust(20)],
        [(" ", drawing.PLAIN)] * 20,
        [(char, drawing.PLAIN) for char in "   last".ljust(20)],
    ]
    svg = drawing.svg("a title & more", cells)
    assert shown(svg) == ["a <b> & c    d  e fk", "q quit", "", "   last"]
    assert [piece.text for piece in texts(svg)] == [
        *("a <b> & c", "d", "e f", "k", "q quit", "last"),
    ]
    assert ElementTree.fromstring(svg).findtext(f"{SVG}title") == "a title & more"
    (rect,) = ElementTree.fromstring(svg).findall(f"{SVG}g/{SVG}rect")
    assert float(rect.attrib["width"]) == pytest.approx(20 * drawing.CELL_WIDTH)
