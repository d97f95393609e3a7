"""One target under libFuzzer: `python -m fuzz TARGET FOLDER [libFuzzer's arguments]`.

The target's seeds are put into the folder first.  To be run with tests/ on PYTHONPATH, the
sanitized build before it, and atheris' runtime preloaded (tools/fuzz.py).
"""

import importlib
import logging
import sys
from functools import cache
from pathlib import Path

import atheris

from fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    if name not in TARGETS:
        sys.exit(f"no target {name}; there are {', '.join(TARGETS)}")
    logging.disable()
    with atheris.instrument_imports(include=list(TARGETS[name])):
        make_tables_once()
        target = importlib.import_module(f"fuzz.targets.{name}")
    # As a command, for libFuzzer starts it anew to merge.
    sys.argv[0] = f"{sys.executable} -m fuzz {name}"
    folder = Path(sys.argv[1])
    if folder.is_dir() and not any(argument.startswith("-merge") for argument in sys.argv):
        for number, seed in enumerate(target.seeds()):
            (folder / f"seed-{number:03}").write_bytes(seed)
    atheris.Setup(sys.argv, target.run)
    atheris.Fuzz()


def make_tables_once() -> None:
    """A NAT makes them when it is made, which here is for every input."""
    from ratsnake.nat.rules import connection_states

    for table in ("transition_table", "event_table", "opener_table", "timer_table"):
        setattr(connection_states, table, cache(getattr(connection_states, table)))


main()
