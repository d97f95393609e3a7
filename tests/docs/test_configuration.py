"""What is made from the flags' tables is what they say now."""

import json
from importlib import util
from pathlib import Path
from types import ModuleType

from ratsnake.daemon.schema import schema

ROOT = Path(__file__).parents[2]


def document() -> ModuleType:
    spec = util.spec_from_file_location("document", ROOT / "tools" / "document.py")
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_lists_every_key_as_it_is() -> None:
    tool = document()
    _, marker, below = (ROOT / "docs" / "configuration.md").read_text().partition(tool.MARKER)
    assert marker and below == f"\n{tool.tables()}", "run python tools/document.py"


def test_the_published_schema_is_the_programs() -> None:
    published = json.loads((ROOT / "docs" / "ratsnake.schema.json").read_text())
    assert published == schema(), "run python tools/document.py"
