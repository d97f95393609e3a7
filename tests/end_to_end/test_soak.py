"""The soak in short: everything that may happen to a host happens once, under floods from both
sides and reloads, and a TCP and a UDP flow go on; `make soak` is the long one."""

from __future__ import annotations

from pathlib import Path
from random import Random

from ratsnake.lab import Topology
from soak.run import Plan, soak
from soak.summary import failures


def test_everything_once(topology: Topology, tmp_path: Path) -> None:
    seen = soak(topology, Plan(600.0, 1, 1000, once=True), tmp_path, Random(1), lambda _: None)
    assert not failures(seen), (tmp_path / "log").read_text()
