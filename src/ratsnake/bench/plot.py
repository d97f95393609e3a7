"""The picture of a result: a panel a measure, a bar a contestant, a dot a round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .measure_table import MEASURES, Measure
from .result import Result, values
from .result_summary import middle

_COLUMNS = 3
_PANEL = (3.3, 0.45)  # inches: a panel's width, and its height besides the bars
_BAR = 0.24
#: By contestant; told apart also without colour vision (the palette of Okabe and Ito).
_COLOURS = ("#0072B2", "#999999", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def draw(result: Result, path: Path) -> None:
    """Write a picture; the name's ending says in which form.

    Raises ModuleNotFoundError without matplotlib, OSError when the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # The text stays text, and the file the same for the same result.
    settings: Any = {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "ratsnake"}
    shown = [one for one in MEASURES if any(middle(result, n, one.key) for n in result.commands)]
    rows = max(1, -(-len(shown) // _COLUMNS))
    height = rows * (_PANEL[1] + _BAR * len(result.commands))
    with matplotlib.rc_context(settings):
        figure, panels = pyplot.subplots(
            rows,
            _COLUMNS,
            figsize=(_COLUMNS * _PANEL[0], height + 0.4),
            squeeze=False,
            layout="constrained",
        )
        for place, panel in enumerate(panels.flat):
            if place < len(shown):
                _bars(panel, result, shown[place], first=place % _COLUMNS == 0)
            else:
                panel.axis("off")
        figure.suptitle(_title(result), fontsize=8, x=0.01, ha="left")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        pyplot.close(figure)


def _bars(panel: Any, result: Result, measure: Measure, first: bool) -> None:
    names = list(result.commands)
    middles = [middle(result, name, measure.key) for name in names]
    for place, (name, value) in enumerate(zip(names, middles, strict=True)):
        colour = _COLOURS[place % len(_COLOURS)]
        panel.barh(place, value or 0, color=colour, height=0.75)
        found = values(result, name, measure.key)
        panel.plot(found, [place] * len(found), ".", color="black", markersize=2.5, alpha=0.6)
        label = (
            "\N{EN DASH}" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        )
        end = (max([*found, 0]), place)
        panel.annotate(label, end, xytext=(3, 0), textcoords="offset points", va="center")
    panel.set_yticks(range(len(names)), names if first else [""] * len(names))
    panel.invert_yaxis()
    panel.margins(x=0.2)
    panel.set_xlim(left=0)
    panel.tick_params(left=False)
    panel.spines[["top", "right", "left"]].set_visible(False)
    better = "less" if measure.less else "more"
    title = f"{measure.heading}, {measure.unit} ({better} is better)"
    panel.set_title(title, fontsize=8, loc="left")


def _title(result: Result) -> str:
    machine = result.machine
    count = len(result.rounds)
    kind = "one round" if count == 1 else f"medians of {count} rounds (dots: the rounds)"
    return (
        f"ratsnake {result.versions['ratsnake']}, {machine['cores']} x {machine['processor']}, "
        f"Linux {machine['kernel']}, {kind}"
    )
