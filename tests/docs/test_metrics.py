"""docs/metrics.md is what the program tells, and the dashboard shows nothing else."""

import json
import re
from typing import Any

from ratsnake.daemon.metrics.prometheus_metrics import MEASURES, PROCESS
from support import tools

DASHBOARD = json.loads((tools.ROOT / "contrib" / "grafana" / "ratsnake.json").read_text())
NAMES = {measure.written: set(measure.labels) for measure in MEASURES} | dict.fromkeys(
    PROCESS, set[str]()
)
TARGET_LABELS = {"job", "instance"}  # Prometheus adds them


def expressions() -> list[dict[str, Any]]:
    return [target for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_the_page_lists_every_metric_as_it_is() -> None:
    document = tools.tool("document")
    text = (tools.ROOT / "docs" / "metrics.md").read_text()
    _, marker, below = text.partition(document.METRICS_MARKER)
    assert marker and below == f"\n{document.metrics()}", "run python tools/document.py"


def test_panels_ask_for_metrics_there_are_by_labels_they_have() -> None:
    for target in expressions():
        names = re.findall(r"\b(?:ratsnake|process)_\w+", target["expr"])
        assert names
        assert set(names) <= set(NAMES)
        known = TARGET_LABELS.union(*(NAMES[name] for name in names))
        assert set(re.findall(r"(\w+)=~?\"", target["expr"])) <= known
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known


def test_counters_are_asked_for_by_rate() -> None:
    for target in expressions():
        for counter in re.findall(r"\b\w+_total\b", target["expr"]):
            assert f"rate({counter}" in target["expr"]


def test_every_metric_is_shown() -> None:
    asked = " ".join(target["expr"] for target in expressions())
    own = {name for name in NAMES if name.startswith("ratsnake_")}
    assert own - set(re.findall(r"\bratsnake_\w+", asked)) == {"ratsnake_inbound_sessions_limit"}


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        own = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & own
        assert max(x for x, _ in own) < 24
        cells |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
