"""`make fuzz`: show every target of tests/fuzz inputs that nobody thought of, for a while.

    python tools/fuzz.py [--seconds N] [--keep] [TARGET ...]
    python tools/fuzz.py --again FILE TARGET

The time is for all targets together; as many run at once as there are processors.  Inputs that take
new paths are kept in build/fuzz/TARGET for the next time, and with --keep the fewest that take all
paths known replace those of the repository (tests/fuzz/corpus).  An input that fails is a finding:
its file is named at the end, with the command that shows it again, and the exit status is 1.  With
--again one input is shown, and what it breaks.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests/fuzz/corpus"
WORK = ROOT / "build/fuzz"
FINDINGS = WORK / "findings"
FLAVOUR = ROOT / "build/sanitized/flavour"  # what tools/sanitized.sh built
GRACE = 120  # seconds for the start and for the input that is being shown when the time is over
SLOWEST = 60  # seconds for one input: a hang
MEMORY = 4096  # MB
LONGEST = 4352  # octets of an input
STATUS = re.compile(r"^#(\d+)\s+(\w+)\s.*?cov: (\d+).*?corp: (\d+)")
NAMELESS = re.compile("[0-9a-f]{16}")  # an input that nothing is known of but its paths
# Python's own allocator is faster, and of no harm where nothing compiled is shown Python's objects.
PURE = ("configuration", "notations", "capture_files", "control_requests", "stun_responses")


@dataclass
class Result:
    """What has been seen of a target."""

    name: str
    runs: int = 0
    covered: int = 0
    corpus: int = 0
    seconds: float = 0.0
    failed: bool = False
    findings: list[Path] = field(default_factory=list)


def main() -> int:
    sys.path.insert(0, str(ROOT / "tests"))
    from fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description="Look for inputs that break what reads them.")
    parser.add_argument("--seconds", type=int, default=120, help="for all targets together")
    parser.add_argument("--keep", action="store_true", help="renew the repository's corpus")
    parser.add_argument("--again", type=Path, metavar="FILE", help="show one input again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    runtime = fuzzer_runtime()
    if runtime is None:
        print("fuzzing needs atheris: pip install -e .[fuzz]", file=sys.stderr)
        return 1
    if " fuzz " not in FLAVOUR.read_text(encoding="utf-8"):
        print(
            "fuzzing needs clang (Debian: apt install clang-14 libclang-rt-14-dev llvm-14), then"
            " sh tools/sanitized.sh",
            file=sys.stderr,
        )
        return 1
    if arguments.again is not None:
        if len(arguments.targets) != 1:
            parser.error("--again needs the one target that is to be shown the file")
        return again(arguments.targets[0], arguments.again, runtime)
    names = arguments.targets or list(TARGETS)
    jobs = min(arguments.jobs, len(names))
    share = max(5, arguments.seconds * jobs // len(names))
    board = Board(names, share, jobs)
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda name: fuzz(name, share, runtime, board), names))
    board.end()
    print_summary(results)
    if arguments.keep:
        for name in names:
            keep(name, runtime)
    return int(any(result.failed for result in results))


def fuzzer_runtime() -> Path | None:
    """The library with libFuzzer and AddressSanitizer that atheris brings."""
    found = find_spec("atheris")
    if found is None or found.origin is None:
        return None
    runtime = Path(found.origin).parents[1] / "asan_with_fuzzer.so"
    return runtime if runtime.exists() else None


class Board:
    """Shows what is being done, in one line where there is a terminal."""

    def __init__(self, names: list[str], share: int, jobs: int) -> None:
        self._left = dict.fromkeys(names, float(share))
        self._jobs = jobs
        self._shown = time.monotonic()
        self._is_terminal = sys.stdout.isatty()
        self._period = 0.2 if self._is_terminal else 30.0

    def tell(self, result: Result, left: float) -> None:
        self._left[result.name] = max(0.0, left)
        if time.monotonic() - self._shown < self._period:
            return
        self._shown = time.monotonic()
        minutes, seconds = divmod(round(sum(self._left.values()) / self._jobs), 60)
        text = (
            f"fuzzing {result.name}: {result.runs} inputs, {result.covered} paths;"
            f" {minutes} min {seconds} s left"
        )
        if self._is_terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
        else:
            print(text, flush=True)

    def end(self) -> None:
        if self._is_terminal:
            print("\r\x1b[K", end="")


def environment(name: str, runtime: Path) -> dict[str, str]:
    """That of tools/sanitized.sh, with another runtime."""
    symbolizer = shutil.which("llvm-symbolizer") or ""
    return {
        **os.environ,
        "LD_PRELOAD": str(runtime),
        "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=64:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "ASAN_SYMBOLIZER_PATH": symbolizer,
        "PYTHONPATH": f"{ROOT / 'build/sanitized/lib'}:{ROOT / 'tests'}",
        "PYTHONMALLOC": "default" if name in PURE else "malloc",
    }


def fuzz(name: str, seconds: int, runtime: Path, board: Board) -> Result:
    """One target for so long; a finding ends its share."""
    found, known = WORK / name, CORPUS / name
    found.mkdir(parents=True, exist_ok=True)
    known.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "fuzz", name, str(found), str(known)),
        *(f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={SLOWEST}"),
        f"-report_slow_units={SLOWEST}",
        *(f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={FINDINGS / name}-", "-len_control=20"),
    ]
    before = set(FINDINGS.glob(f"{name}-*"))
    result, began = Result(name), time.monotonic()
    log = WORK / f"{name}.log"
    with (
        open(log, "w", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(name, runtime),
            cwd=ROOT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            if status := STATUS.match(line):
                result.runs, result.covered = int(status[1]), int(status[3])
                result.corpus = int(status[4])
            board.tell(result, seconds - (time.monotonic() - began))
    board.tell(result, 0)
    result.seconds = time.monotonic() - began
    result.failed = process.returncode != 0
    result.findings = sorted(set(FINDINGS.glob(f"{name}-*")) - before)
    return result


def again(name: str, path: Path, runtime: Path) -> int:
    """Show one input to a target."""
    command = [sys.executable, "-m", "fuzz", name, str(path.absolute())]
    return subprocess.run(command, env=environment(name, runtime), cwd=ROOT).returncode


def print_summary(results: list[Result]) -> None:
    print(f"{'target':<18}{'inputs':>10}{'a second':>10}{'paths':>8}{'corpus':>8}  findings")
    for one in results:
        rate = one.runs / one.seconds if one.seconds else 0
        print(
            f"{one.name:<18}{one.runs:>10}{rate:>10.0f}{one.covered:>8}{one.corpus:>8}"
            f"  {len(one.findings) or ('failed' if one.failed else 'none')}"
        )
    for one in results:
        if one.failed:
            print(f"\n{one.name}: {WORK / one.name}.log ends with")
            print("\n".join(_tail(WORK / f"{one.name}.log")))
        for path in one.findings:
            print(f"  see it again: make fuzz FUZZ='--again {path.relative_to(ROOT)} {one.name}'")


def _tail(log: Path) -> Iterator[str]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines[-30:]:
        yield f"    {line}"


def keep(name: str, runtime: Path) -> None:
    """Put the fewest inputs that take all paths known into the repository."""
    known, merged = CORPUS / name, WORK / f"{name}.merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    subprocess.run(
        [
            *(sys.executable, "-m", "fuzz", name, str(merged), "-merge=1", f"-max_len={LONGEST}"),
            *(str(WORK / name), str(known)),
        ],
        env=environment(name, runtime),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for old in known.iterdir():
        if NAMELESS.fullmatch(old.name):
            old.unlink()
    for new in merged.iterdir():
        shutil.copyfile(new, known / new.name[:16])
    size = sum(path.stat().st_size for path in known.iterdir())
    print(f"{known.relative_to(ROOT)}: {len(list(known.iterdir()))} inputs, {size} bytes")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # libFuzzer got it too, and has kept what it found
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
