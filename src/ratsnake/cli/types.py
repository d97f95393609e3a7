"""`ratsnake types`: the NAT types explained."""

import argparse
import textwrap
from collections.abc import Iterator

from ..nat.rules.behaviour import PRESETS, Behaviour

WIDTH = 80

TERMS = """\
Mapping: the part of the remote endpoint that decides which external port is
  used. EIM: none (endpoint-independent); ADM: its address; APDM: its address
  and port.
Filtering: who may send to that port. EIF: anybody; ADF: addresses that the host
  has sent to; APDF: endpoints that it has sent to (RFC 4787 sections 4 and 5).
Ports: exclusive, one mapping for each port; overload, several mappings with
  different remotes; distinct, a new port for each remote; sticky, the port that
  the host had last; preserve, the internal port; random; sequential; parity,
  even stays even.
You can write any other combination: MAPPING/FILTERING[+WORD...], such as
  eim/adf or apdm/apdf+overload+preserve+parity. The default words are exclusive
  and random.
Some hosts can have a type of their own, such as full cone for a game console:
  --host-nat 192.168.1.50=full-cone, or [[hosts]] in the configuration file.\
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
