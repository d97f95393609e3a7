"""Write the documentation that is made from the program's own tables.

docs/configuration.md and docs/metrics.md keep their text above a marker, their tables are below it.
"""

import json
from pathlib import Path

from ratsnake.daemon.configuration.json_schema import keys, schema
from ratsnake.daemon.metrics.prometheus_metrics import COUNTER, MEASURES, PROCESS

DOCS = Path(__file__).parents[1] / "docs"
MARKER = "<!-- Below: made by tools/document.py from the flags' tables. -->\n"
METRICS_MARKER = (
    "<!-- Below: made by tools/document.py from the table in"
    " daemon/metrics/prometheus_metrics.py. -->\n"
)


def tables() -> str:
    """A table a section."""
    lines: list[str] = []
    section = ""
    for key in keys():
        if key.section != section:
            section = key.section
            lines += ["", f"### [{section}]", "", "| key | type | default | meaning |"]
            lines += ["|---|---|---|---|"]
        kind = f"{key.type}, {key.unit}" if key.unit else key.type
        default = f"`{key.default}`" if key.default else ""
        meaning = f"{key.meaning} ({key.rfc})" if key.rfc else key.meaning
        meaning += f"; *{key.note}*" if key.note else ""
        lines.append(f"| `{key.name}` | {kind} | {default} | {meaning.replace('|', '/')} |")
    return "\n".join(lines).lstrip("\n") + "\n"


def metrics() -> str:
    """A table of the NAT's metrics, and one of its process's."""
    lines = ["| metric | type | labels | |", "|---|---|---|---|"]
    for measure in MEASURES:
        kind = "counter" if measure.kind is COUNTER else "gauge"
        labels = ", ".join(f"`{label}`" for label in measure.labels)
        lines.append(f"| `{measure.written}` | {kind} | {labels} | {measure.help} |")
    lines += ["", "Metrics of the process, which the library adds for every program:", ""]
    lines += ["| metric | |", "|---|---|"]
    lines += [f"| `{name}` | {help} |" for name, help in PROCESS.items()]
    return "\n".join(lines) + "\n"


def write(page: Path, marker: str, made: str) -> None:
    head = page.read_text().partition(marker)[0]
    page.write_text(f"{head}{marker}\n{made}")


def main() -> None:
    write(DOCS / "configuration.md", MARKER, tables())
    write(DOCS / "metrics.md", METRICS_MARKER, metrics())
    (DOCS / "ratsnake.schema.json").write_text(json.dumps(schema(), indent=2) + "\n")


if __name__ == "__main__":
    main()
