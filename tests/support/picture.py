"""A picture of a terminal, read back: what the SVGs of tools/pictures show."""

from typing import Any
from xml.etree import ElementTree

from .tools import ROOT, tool

SVG = "{http://www.w3.org/2000/svg}"

drawing: Any = tool("pictures/drawing")


def picture(name: str) -> str:
    """The SVG that the README shows."""
    return (ROOT / "docs" / f"{name}.svg").read_text()


def texts(svg: str) -> list[ElementTree.Element]:
    """The pieces of text on the screen, without the window's title."""
    group = ElementTree.fromstring(svg).find(f"{SVG}g")
    assert group is not None
    return list(group.iter(f"{SVG}text"))


def shown(svg: str) -> list[str]:
    """The screen's lines, up to the last that is not empty."""
    rows: dict[int, dict[int, str]] = {}
    for piece in texts(svg):
        column = round((float(piece.attrib["x"]) - drawing.MARGIN) / drawing.CELL_WIDTH)
        row = round(float(piece.attrib["y"]) - drawing.FIRST_BASELINE) // drawing.CELL_HEIGHT
        rows.setdefault(row, {})[column] = piece.text or ""
    lines = []
    for row in range(max(rows) + 1):
        line = ""
        for column, text in sorted(rows.get(row, {}).items()):
            line = line.ljust(column) + text
        lines.append(line)
    return lines
