"""`ratsnake bench` without measuring: what it refuses, and how it shows a result."""

import re
from pathlib import Path

import pytest

from bench.results import ENGINE, result
from ratsnake.bench import plot
from ratsnake.bench.measure_table import MEASURES, TRIALS
from ratsnake.bench.result import Failure, from_json
from ratsnake.cli.bench_table import lines
from ratsnake.cli.main import main
from ratsnake.lab import PrivilegeError

ROUNDS = (
    {
        "ratsnake": {"tcp-1-out": 12.5, "udp-rtt-p50": 70.0, "flows-loss": 0.0, "udp-rate": 123.4},
        "null": {"tcp-1-out": 12.5, "udp-rtt-p50": 77.0, "flows-loss": 0.1, "udp-rate": 120.0},
        "masquerade": {"tcp-1-out": 25.0, "udp-rtt-p50": 35.0, "tcp-connect": 21_500.4},
    },
    {
        "ratsnake": {"tcp-1-out": 13.0, "udp-rtt-p50": 70.0, "flows-loss": 0.0},
        "null": {"tcp-1-out": 12.5, "udp-rtt-p50": 77.0, "flows-loss": 0.1},
        "masquerade": {"tcp-1-out": 25.0, "udp-rtt-p50": 35.0},
    },
)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--only", "tcp"], "--only: 'tcp' is no trial; right is tcp-1-out, "),
        (["--only", "flows,"], "--only: '' is no trial"),
        (["--rounds", "0"], "--rounds 0: right is a number from 1 to 99"),
        (["--rounds", "two"], "--rounds two: right is"),
        (["--peer", "ls"], "--peer ls: right is NAME=COMMAND"),
        (["--peer", "a="], "--peer a=: right is NAME=COMMAND"),
        (["--peer", "a b=ls"], "the name 'a b' is not 1 to 16 letters"),
        (["--peer", "null=ls"], "the name 'null' is taken"),
        (["--peer", "a=ls", "--peer", "a=ls"], "the name 'a' is taken"),
        (["--plot", "x.jpeg"], "--plot x.jpeg: right is a name that ends in .svg or .png"),
        (["--from", "x", "--quick"], "--quick measures, --from does not"),
        (["--from", "x", "--json", "y"], "--json measures, --from does not"),
    ],
)
def test_usage_errors(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *argv]) == 2
    assert message in capsys.readouterr().err


def test_what_would_fail_at_the_end_fails_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["bench", "--json", str(tmp_path / "none" / "x.json")]) == 1
    assert "is not there or not writable" in capsys.readouterr().err
    monkeypatch.setattr("ratsnake.cli.bench.find_spec", lambda name: None)
    assert main(["bench", "--plot", str(tmp_path / "x.svg")]) == 1
    assert "--plot needs matplotlib: pip install matplotlib" in capsys.readouterr().err


def test_a_missing_program_is_named_with_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratsnake.lab.namespace_privilege.enter_privileged", lambda: "root")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert main(["bench", "--only", "udp-rtt"]) == 1
    told = capsys.readouterr().err
    assert "sockperf is not installed: `make bench` installs it" in told
    assert "masquerade is left out: nft is not there" in told


def test_why_it_cannot_run_here_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise PrivilegeError("/dev/net/tun does not exist: load the module (modprobe tun)")

    monkeypatch.setattr("ratsnake.lab.namespace_privilege.enter_privileged", refuse)
    assert main(["bench", "--only", "udp-flood"]) == 1
    assert "the benchmark cannot run here: /dev/net/tun does not exist" in capsys.readouterr().err


def test_help_names_every_trial(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {trial.name}: " in shown for trial in TRIALS)
    assert max(map(len, shown.splitlines())) <= 90


def table(**options: object) -> list[str]:
    return list(lines(result(*ROUNDS, **options)))  # type: ignore[arg-type]


def test_medians_with_their_spread() -> None:
    (found,) = (line for line in table() if "TCP, one stream out" in line and "Gb/s" in line)
    assert found.split()[4:] == ["Gb/s", "12.8", "±2%", "12.5", "±0%", "25.0", "±0%"]


def test_ratios_say_which_way_is_better() -> None:
    shown = table()
    start = shown.index(next(line for line in shown if line.startswith("ratsnake  ")))
    assert shown[start].split() == ["ratsnake", "to", "null", "to", "masquerade", "is", "better"]
    assert shown[start + 1].split()[-3:] == ["1.02", "0.51", "more"]
    assert shown[start + 2].split()[-3:] == ["0.91", "2.00", "less"]


def test_nothing_is_told_of_what_was_not_measured() -> None:
    shown = "\n".join(table())
    assert "4 streams" not in shown
    assert "lost, 50,000 flows" in shown and shown.count("lost, 50,000 flows") == 1  # no ratio


def test_noise_and_failures_are_told() -> None:
    failure = Failure(2, "flows", "null", "of 50000 flows 3 could be opened")
    shown = "\n".join(table(busy=0.43, failures=(failure,)))
    assert re.search("^±, median of all +% +0.98 + 0.00 + 0.00$", shown, re.MULTILINE)
    assert "the hypervisor took 0.2 % of the processors' time, other programs 1.3 %" in shown
    assert "NOT QUIET: 43 % busy when round 2 began" in shown
    assert "not measured: flows of null in round 2: of 50000 flows 3 could be opened" in shown


def test_the_table_fits_also_with_a_peer() -> None:
    everything = {name: {one.key: 12_345.6 for one in MEASURES} for name in ("ratsnake", "null")}
    everything |= {name: everything["null"] for name in ("masquerade", "other")}
    shown = list(lines(result(everything, everything, peer=True, engine=ENGINE)))
    assert max(map(len, shown)) <= 100


def test_the_engine_alone() -> None:
    shown = list(lines(result(engine=ENGINE)))
    assert "159.6" not in "".join(shown) and any("160 bytes a UDP mapping" in s for s in shown)
    assert any(line.split() == ["TCP,", "random", "40.0", "120", "3.00"] for line in shown)
    assert any(
        line.split()[-6:] == ["0.07", "1.00", "2.00", "28.0", "1.50", "2.10"] for line in shown
    )
    assert not any("between rounds" in line for line in shown)


def test_a_result_is_shown_again_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    kept, picture = tmp_path / "x.json", tmp_path / "x.svg"
    kept.write_text(result(*ROUNDS, engine=ENGINE).to_json())
    assert main(["bench", "--from", str(kept), "--plot", str(picture)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == list(lines(from_json(kept.read_text())))
    drawn = picture.read_text()
    assert drawn.startswith("<?xml") and drawn.count('id="axes_') >= 5
    plot.draw(from_json(kept.read_text()), picture)
    assert picture.read_text() == drawn, "the same result gives another picture"


def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--from", str(tmp_path / "none")]) == 1
    assert "none: No such file or directory" in capsys.readouterr().err
    (tmp_path / "x").write_text("{}")
    assert main(["bench", "--from", str(tmp_path / "x")]) == 1
    assert "it has no format" in capsys.readouterr().err
