"""One target under libFuzzer: `python -m fuzz TARGET [libFuzzer's arguments]`, with tests/ on
PYTHONPATH, the sanitized build before it, and atheris' runtime preloaded (tools/fuzz.py)."""

import importlib
import logging
import sys

import atheris

from fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    if name not in TARGETS:
        sys.exit(f"no target {name}; there are {', '.join(TARGETS)}")
    logging.disable()
    module = f"fuzz.targets.{name}"
    with open(f"{__file__.rsplit('/', 1)[0]}/targets/{name}.py", encoding="utf-8") as file:
        instrumented = instrumented_by(file.read())
    with atheris.instrument_imports(include=instrumented):
        target = importlib.import_module(module)
    atheris.Setup(sys.argv, target.run)
    atheris.Fuzz()


def instrumented_by(source: str) -> list[str]:
    """What a target says in INSTRUMENTED, before it is imported with all that it imports."""
    import ast

    for node in ast.parse(source).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            names = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(one, ast.Name) and one.id == "INSTRUMENTED" for one in names):
                assert node.value is not None
                return list(ast.literal_eval(node.value))
    return []


main()
