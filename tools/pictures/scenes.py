"""What the pictures show: the demo as it ends, and `ratsnake top` beside a home network at work."""

import sys

from drawing import Line
from home_network import HomeNetwork
from terminal import Terminal

from ratsnake.lab import Topology, nat

RATSNAKE = (sys.executable, "-m", "ratsnake")
UDP = ("--udp", "restricted-cone")  # so that strangers are filtered, and not unknown
DEMO_SECONDS = 300.0  # at most
TOP_SECONDS = 15.0  # until all that is shown of a second is known

Scene = tuple[str, list[Line]]  # the window's title and its lines


def demo() -> Scene:
    terminal = Terminal([*RATSNAKE, "demo"], 100, 60)
    terminal.watch(DEMO_SECONDS)
    lines = terminal.lines()
    status = terminal.close()
    if status != 0:
        raise SystemExit(f"the demo ended with status {status}: no picture is made of that")
    return "ratsnake demo", lines


def top() -> Scene:
    with (
        Topology(hosts=6, remotes=120) as topology,
        nat(topology, "quasi-restricted-cone", ports="v6plus:33", arguments=UDP) as running,
        HomeNetwork(topology),
    ):
        terminal = Terminal([*RATSNAKE, "top", "--control", str(running.control)], 80, 24)
        terminal.watch(TOP_SECONDS)
        lines = terminal.lines()
        terminal.close("q")
    return "ratsnake top", lines
