"""The command as a user sees it: statuses, one-line errors, no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ratsnake import __version__
from ratsnake.cli import main as entry
from ratsnake.cli.main import COMMANDS, main
from ratsnake.nat.rules.behaviour import PRESETS


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ratsnake: error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: COMMAND"),
        (["rum"], "rum: no such command; did you mean run? (see `ratsnake --help`)"),
        (["zzz"], "zzz: no such command (see"),
        (
            ["run", "--forwrd", "x"],
            "--forwrd x; did you mean --forward? (see",
        ),
        (["run", "--bogus"], "unrecognized arguments: --bogus"),
        (["run", "--ext", "203.0.113.1"], "unrecognized arguments"),
        (
            ["run"],
            "or a configuration file: `ratsnake init` writes one",
        ),
        (["run", "--external", "203.0.113.1", "--nat", "restrictd-cone"], "did you mean"),
        (["replay", "in.pcap"], "required: OUT"),
        (["replay", "a", "b"], "--external ADDR[=PORTS] is needed"),
        (["replay", "a", "b", "--external", "203.0.113.1", "--seed", "x"], "--seed x: must be"),
        (["status", "--device", "a b"], "--device a b: "),
    ],
)
def test_usage_errors(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert message in complaint(capsys)


@pytest.mark.parametrize("command", ["status", "mappings", "sessions"])
def test_no_nat_running(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--control", str(tmp_path / "none")]) == 1
    assert "no ratsnake is running at" in complaint(capsys)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ratsnake {__version__}\n"
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {command} " in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"usage: ratsnake {command}" in capsys.readouterr().out


def test_types_in_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["types"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for preset in PRESETS.values():
        (line,) = (line for line in lines if line.split(" ")[0] == preset.name)
        behaviour = preset.behaviour
        assert f"{behaviour.mapping.name}/{behaviour.filtering.name}" in line


# What is missing is installed where this interpreter looks for it.
PIP = f"{sys.executable} -m pip"


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (OSError(28, "No space left on device", "/x"), 1, "error: /x: No space left on device"),
        (ValueError("odd"), 1, "a defect of ratsnake, please report it: ValueError: odd ("),
        (ModuleNotFoundError("x", name="cython"), 1, f"needs Cython: {PIP} install cython\n"),
        (
            ModuleNotFoundError("x", name="prometheus_client"),
            *(1, f"the library prometheus-client: {PIP} install prometheus-client\n"),
        ),
        (ModuleNotFoundError("x", name="y"), 1, "a defect of ratsnake, please report it: Mod"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_no_traceback_whatever_happens(
    raised: BaseException,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(argv: object) -> int:
        raise raised

    monkeypatch.setattr(entry, "_run", fail)
    assert main([]) == status
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_help_imports_no_engine() -> None:
    code = (
        "import sys, json; from ratsnake.cli.main import main; main(['--help']);"
        "print(json.dumps(sorted(m for m in sys.modules if m.startswith('ratsnake'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert not [name for name in loaded if name.startswith(("ratsnake.nat", "ratsnake.lab"))]


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "ratsnake", "types"], stdout=closed, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_package_that_is_missing_is_one_that_there_is() -> None:
    """Each is a dependency or an extra of ours, under that name."""
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for _, package in entry.MISSING.values():
        assert f'"{package}>=' in project


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("upd", "upd: no such protocol; did you mean udp?"),
        ("gre!", "gre!: no such protocol; there are tcp, udp, icmp, udplite, dccp, sctp, other"),
    ],
)
def test_explain_names_a_misspelt_protocol(
    protocol: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    question = ("192.168.1.10:4000", "198.51.100.1:53", "--control", "/nowhere")
    assert main(["explain", protocol, *question]) == 2
    assert capsys.readouterr().err == f"ratsnake: error: {said}\n"
