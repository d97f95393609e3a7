"""What a NAT takes of memory: as resident memory of a process that has nothing else to do.

`python -m ratsnake.bench.engine_memory SESSIONS` is that process; it prints its numbers as JSON.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

from ratsnake.daemon.views.status_object import resident_memory
from ratsnake.wire.packet_fields import UDP

from .engine_load import Load
from .engine_nat import make_nat

ADDRESSES = 16  # the fewest that have ports for 1,000,000 mappings


@dataclass(frozen=True)
class Memory:
    """Resident kB without a NAT, of a NAT without sessions, and of what `sessions` add to it.

    `bytes_a_session`: of a UDP session and its own mapping, with their share of all that the NAT
    holds.
    """

    sessions: int
    python_kb: int
    empty_kb: int
    grown_kb: int
    bytes_a_session: float


def measure(sessions: int) -> Memory:
    """In a process of its own."""
    command = [sys.executable, "-m", __name__, str(sessions)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Memory(**json.loads(answer))


def measure_here(sessions: int) -> Memory:
    python = resident_memory()
    nat = make_nat(addresses=ADDRESSES)
    empty = resident_memory() - python
    load = Load(nat, UDP, sessions)
    ready = resident_memory()
    load.open(0, sessions)
    load.check()
    grown = resident_memory() - ready
    return Memory(sessions, python, empty, grown, 1024 * (empty + grown) / sessions)


if __name__ == "__main__":
    print(json.dumps(asdict(measure_here(int(sys.argv[1])))))
