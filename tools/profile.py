"""Profile `ratsnake run` under one of the benchmark's trials, with perf, under Python's names.

    python tools/profile.py [TRIAL] [--null]

The default is `udp-flood`.  The report has the functions by their share of the NAT process's time;
build/perf.data stays for other questions, such as who called them (`perf report -g caller`, through
perf_names.py).  `make profile` calls this with extensions built for it, which know their callers.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from perf_names import translated

from ratsnake.bench.contestants import NULL, RATSNAKE, built_in, site
from ratsnake.bench.measure_table import TRIALS
from ratsnake.lab import enter_privileged

DATA = "build/perf.data"
RATE = 1999  # samples a second; no multiple of the kernel's tick
SECONDS = 4
RECORD = ["perf", "record", "-q", "-F", str(RATE), "--call-graph", "fp", "-o", DATA]
REPORT = ["perf", "report", "-i", DATA, "--stdio", "-q", "--no-children", "-g", "none"]
FIELDS = ["-F", "overhead,dso,sym", "-t", "\t"]
MOST = 25  # functions of a place that are told
#: How places are told apart by the file a function is in; the first that fits.
PLACES = {"[kernel": "the kernel", "ratsnake.": "the engine", "": "Python and the C library"}


def main() -> int:
    # Searching takes too long under the lower rate that sampling leaves.
    trials = {trial.name: trial for trial in TRIALS if trial.name != "udp-rate"}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trial", nargs="?", choices=trials, default="udp-flood")
    parser.add_argument("--null", action="store_true", help="profile the null forwarder instead")
    arguments = parser.parse_args()
    if shutil.which("perf") is None:
        sys.exit("perf is not installed (Debian: apt install linux-perf)")
    enter_privileged()
    wanted = NULL if arguments.null else RATSNAKE
    (contestant,) = (one for one in built_in() if one.name == wanted)
    with site(contestant) as at, ThreadPoolExecutor(1) as pool:
        load = pool.submit(trials[arguments.trial].run, at, SECONDS)
        numbers = ",".join(map(str, at.processes()))
        subprocess.run([*RECORD, "-p", numbers, "--", "sleep", str(SECONDS)], check=True)
        print(load.result(), file=sys.stderr)
    report = subprocess.run([*REPORT, *FIELDS], check=True, capture_output=True, text=True)
    for line in told(report.stdout):
        print(line)
    return 0


def told(report: str) -> Iterator[str]:
    """The places by what they take, then the functions of each."""
    places: dict[str, list[tuple[float, str]]] = {}
    for line in report.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) == 3:
            share, file, symbol = fields
            name = translated(symbol.partition("] ")[2])
            place = next(PLACES[part] for part in PLACES if part in f"{name} {file}")
            places.setdefault(place, []).append((float(share.rstrip("%")), name))
    total = {place: sum(share for share, _ in found) for place, found in places.items()}
    for place in sorted(total, key=lambda place: -total[place]):
        yield f"{total[place]:6.2f} %  {place}"
    for place in sorted(total, key=lambda place: -total[place]):
        yield f"\n{place}"
        for share, name in sorted(places[place], reverse=True)[:MOST]:
            yield f"{share:6.2f} %  {name}"


if __name__ == "__main__":
    sys.exit(main())
