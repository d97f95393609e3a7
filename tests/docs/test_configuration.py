"""What is made from the flags' tables is what they say now."""

import json

from ratsnake.daemon.configuration.json_schema import schema
from support import tools


def test_the_page_lists_every_key_as_it_is() -> None:
    document = tools.tool("document")
    _, marker, below = (
        (tools.ROOT / "docs" / "configuration.md").read_text().partition(document.MARKER)
    )
    assert marker and below == f"\n{document.tables()}", "run python tools/document.py"


def test_the_published_schema_is_the_programs() -> None:
    published = json.loads((tools.ROOT / "docs" / "ratsnake.schema.json").read_text())
    assert published == schema(), "run python tools/document.py"
