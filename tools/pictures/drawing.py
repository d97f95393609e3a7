"""A terminal's screen as an SVG that looks the same in every viewer.

No font is loaded: each run of text says how wide it is, so any monospace font fits the columns.
The window is dark whatever the page is, and has an edge that shows on a dark one.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple
from xml.sax.saxutils import escape

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 8.4, 19, 14
BASELINE = 14  # of the text below the top of its line
MARGIN, BAR = 16, 36  # around the screen; the title bar's height
TOP = BAR + 12
FIRST_BASELINE = TOP + BASELINE
FONTS = "ui-monospace, 'SF Mono', SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
BACKGROUND, BAR_COLOUR, EDGE = "#0f1720", "#1d2833", "#3d4a57"
TEXT, TITLE = "#d7dee6", "#9fb0c0"
BUTTONS = ("#e0685f", "#e0b04e", "#5fb865")
COLOURS = {"default": TEXT, "white": TEXT, "green": "#6fd083", "red": "#ff7b72"}
BOLD = "#ffffff"  # of what has no colour of its own, for a weight alone is hardly seen


class Style(NamedTuple):
    """A colour by its name, and how it is shown."""

    colour: str = "default"
    bold: bool = False
    reverse: bool = False


PLAIN = Style()
Cell = tuple[str, Style]
Line = Sequence[Cell]


class Run(NamedTuple):
    """Cells of one style without a gap in them."""

    column: int
    text: str
    style: Style


def svg(title: str, lines: Sequence[Line]) -> str:
    """A window with that title and those lines, which are equally long."""
    columns = max(len(line) for line in lines)
    width = round(2 * MARGIN + columns * CELL_WIDTH)
    height = TOP + len(lines) * CELL_HEIGHT + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" font-family="{FONTS}" font-size="{FONT_SIZE}">',
        f"<title>{escape(title)}</title>",
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9" fill="{BACKGROUND}"'
        f' stroke="{EDGE}"/>',
        f'<path d="M1 {BAR}V9.5Q1 1 9.5 1H{width - 9.5}Q{width - 1} 1 {width - 1} 9.5V{BAR}z"'
        f' fill="{BAR_COLOUR}"/>',
        *(
            f'<circle cx="{20 + 20 * number}" cy="{BAR // 2}" r="6" fill="{colour}"/>'
            for number, colour in enumerate(BUTTONS)
        ),
        f'<text x="{width // 2}" y="{BAR // 2 + 5}" text-anchor="middle" fill="{TITLE}">'
        f"{escape(title)}</text>",
        f'<g fill="{TEXT}" xml:space="preserve">',
        *(part for row, line in enumerate(lines) for part in _line(row, line)),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(row: int, line: Line) -> Iterator[str]:
    top = TOP + row * CELL_HEIGHT
    for style, column, count in _styled(line):
        if style.reverse:
            yield (
                f'<rect x="{_x(column)}" y="{top}" width="{count * CELL_WIDTH:.1f}"'
                f' height="{CELL_HEIGHT}" fill="{COLOURS[style.colour]}"/>'
            )
    for run in runs(line):
        yield (
            f'<text x="{_x(run.column)}" y="{top + BASELINE}" textLength="'
            f'{len(run.text) * CELL_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
            f"{_looks(run.style)}>{escape(run.text)}</text>"
        )


def runs(line: Line) -> Iterator[Run]:
    """The text in pieces: between gaps of two spaces or more, and of one style each."""
    for style, start, count in _styled(line):
        text = "".join(data for data, _ in line[start : start + count])
        at = 0
        for piece in text.split("  "):
            bare = piece.strip()
            if bare:
                yield Run(start + at + len(piece) - len(piece.lstrip()), bare, style)
            at += len(piece) + 2


def _styled(line: Line) -> Iterator[tuple[Style, int, int]]:
    """Style, column and number of cells that have it together."""
    column = 0
    for style, cells in groupby(line, lambda cell: cell[1]):
        count = len(list(cells))
        yield style, column, count
        column += count


def _looks(style: Style) -> str:
    colour = BACKGROUND if style.reverse else COLOURS[style.colour]
    if style.bold and COLOURS[style.colour] == TEXT and not style.reverse:
        colour = BOLD
    fill = "" if colour == TEXT else f' fill="{colour}"'
    return f'{fill} font-weight="bold"' if style.bold else fill


def _x(column: int) -> str:
    return f"{MARGIN + column * CELL_WIDTH:.1f}"
