"""`ratsnake types`: the NAT types explained."""

import argparse
import textwrap
from collections.abc import Iterator

from ..nat.rules.behaviour import PRESETS, Behaviour

WIDTH = 80

TERMS = """\
Mapping: how much of the remote endpoint decides which outside port is used; EIM
  nothing of it (endpoint-independent), ADM its address, APDM address and port.
Filtering: who may send to that port; EIF anybody, ADF the addresses already
  sent to, APDF the endpoints already sent to (RFC 4787 sections 4 and 5).
Ports: exclusive, one mapping each; overload, several mappings whose remotes
  differ; distinct, never one port for two remotes; sticky, the port had last;
  preserve, the inside one; random; sequential; parity, even stays even.
Any other combination is written out: MAPPING/FILTERING[+WORD...], such as
  eim/adf or apdm/apdf+overload+preserve+parity. Words not given: exclusive,
  random.\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace) -> int:
    for line in lines():
        print(line)
    return 0


def lines() -> Iterator[str]:
    """The whole text, in 80 columns."""
    yield f"{'TYPE':<28}{'MAPPING/FILTERING':<20}PORTS"
    for preset in PRESETS.values():
        behaviour = preset.behaviour
        kind = f"{behaviour.mapping.name}/{behaviour.filtering.name}"
        yield f"{preset.name:<28}{kind:<20}{_ports(behaviour)}"
        yield from textwrap.wrap(
            preset.summary,
            WIDTH,
            initial_indent="    ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    yield ""
    yield from TERMS.splitlines()


def _ports(behaviour: Behaviour) -> str:
    return ", ".join(behaviour.words())
