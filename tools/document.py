"""Write the documentation that is made from the program's own tables.

docs/configuration.md keeps its text above the marker and gets its tables below it.
"""

import json
from pathlib import Path

from ratsnake.daemon.schema import keys, schema

DOCS = Path(__file__).parents[1] / "docs"
MARKER = "<!-- Below: made by tools/document.py from the flags' tables. -->\n"


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
        lines.append(f"| `{key.name}` | {kind} | {default} | {meaning.replace('|', '/')} |")
    return "\n".join(lines).lstrip("\n") + "\n"


def main() -> None:
    page = DOCS / "configuration.md"
    head = page.read_text().partition(MARKER)[0]
    page.write_text(f"{head}{MARKER}\n{tables()}")
    (DOCS / "ratsnake.schema.json").write_text(json.dumps(schema(), indent=2) + "\n")


if __name__ == "__main__":
    main()
