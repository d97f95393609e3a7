"""Run the soak: `make soak` (an hour), or `make soak SOAK="--seconds 300 --seed 7"`.

A router with ratsnake between a LAN and an internet in network namespaces; floods from both sides,
a reload every ten seconds, and something that happens to the host every few seconds
(`disturbances`), with a TCP and a UDP flow that must live through all of it (`live_flows`).  As
root.  What was seen is printed at the end, and in `--json FILE`; the exit status is 1 if a flow
broke, a packet left untranslated, or the NAT ended by itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from ratsnake.cli.progress import Line
from ratsnake.lab import Topology
from soak.run import Plan, soak
from soak.summary import failures, lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="default: an hour")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 10_000, help="default: by time"
    )
    parser.add_argument("--rate", type=int, default=10_000, help="packets/s of each flood")
    parser.add_argument("--json", type=Path, help="what was seen, for programs")
    parser.add_argument("--once", action="store_true", help="every disturbance once, in order")
    asked = parser.parse_args()
    plan = Plan(asked.seconds, asked.seed, asked.rate, asked.once)
    print(f"soak: {asked.seconds:.0f} s at most, seed {asked.seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="ratsnake-soak-") as folder,
        Topology(hosts=2) as topology,
        Line() as line,
    ):
        seen = soak(topology, plan, Path(folder), Random(asked.seed), line.show)
        log = Path(folder, "log").read_text(errors="replace")
    if asked.json:
        asked.json.write_text(json.dumps(seen.row(), indent=1))
        asked.json.with_suffix(".log").write_text(log)
    for text in lines(seen):
        print(text)
    return 1 if failures(seen) else 0


if __name__ == "__main__":
    sys.exit(main())
