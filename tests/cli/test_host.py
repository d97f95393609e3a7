"""`ratsnake host plan` and `doctor` beside the kernel: what of a NAT is in force, and left."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.machines import ADDRESSES, router
from ratsnake.cli.main import main
from ratsnake.host.installation.install_changes import Installed, install
from ratsnake.lab.namespace import Namespace
from support.player import Player

_PLAN = (
    *("host", "plan", "--device", "nat0", "--lan", "lan0", "--wan", "wan0"),
    *("--external", "203.0.113.1", "--internal", "192.0.2.128/25"),
)
_MAIN_RULE = "ip rule add priority 32766 protocol kernel lookup main"


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES) as namespace:
        yield namespace


@pytest.fixture
def installed(machine: Namespace) -> Installed:
    """What the plan's NAT has set up; another had come first."""
    from ratsnake.daemon.configuration.configuration_file import run_options_of
    from ratsnake.daemon.host_integration.settings_for_host import fit, request_of

    flags = dict(zip(_PLAN[2::2], _PLAN[3::2], strict=True))
    texts = {
        name.removeprefix("--"): [value] if name in ("--lan", "--external", "--internal") else value
        for name, value in flags.items()
    }
    # So that its number is not the first free one.
    _type("ip route add unreachable 192.0.2.1 table 1000")
    done = install(request_of(fit(run_options_of(texts)).options))
    _type("ip route del unreachable 192.0.2.1 table 1000")
    assert done.number == 1
    return done


def _type(*commands: str) -> None:
    for command in commands:
        subprocess.run(command.split(), check=True)


def _planned(capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(list(_PLAN)) == 0
    return capsys.readouterr().out.splitlines()


def test_a_plan_without_a_nat_says_what_will_be(
    machine: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _planned(capsys)
    assert said[0] == "# What `ratsnake run` does on this host once its device nat0 is there,"
    assert not [line for line in said if "in force" in line.partition(":")[0]]


def test_the_plan_of_a_nat_that_runs_says_what_is_in_force(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(installed.done)
    said = _planned(capsys)
    assert said[0].startswith("# A NAT runs with the device nat0.")
    assert [line for line in said if line and not line.startswith("#")] == [
        str(change) for change, _ in installed.done
    ]
    assert "# in force: what comes from the LAN" in said
    assert "MISSING" not in "".join(said)
    assert said[-1] == f"# {count} of {count} are in force"


def test_the_plan_of_a_nat_that_runs_says_what_is_missing(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    _type("ip rule del iif lan0")
    said = _planned(capsys)
    count = len(installed.done)
    at = said.index("# MISSING: what comes from the LAN")
    assert said[at + 1].startswith("ip rule add priority 24001 protocol 82 iif lan0 lookup 1001")
    assert said[-1] == (f"# 1 of {count} is missing: `ratsnake reload` makes it again")
    _type("ip rule flush protocol 82", "nft delete table inet ratsnake-1")
    rules = [change for change, _ in installed.done if " rule add " in str(change)]
    assert _planned(capsys)[-1] == (
        f"# {len(rules) + 1} of {count} are missing: `ratsnake reload` makes them again"
    )


def test_what_shares_an_address_is_summed_up_or_listed_by_all(
    machine: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = (*_PLAN[:-3], "interface:wan0", *_PLAN[-2:], "--share-address")
    assert main(list(shared)) == 0
    short = capsys.readouterr().out.splitlines()
    assert main([*shared, "--all"]) == 0
    full = capsys.readouterr().out.splitlines()
    (summary,) = [line for line in short if "what divides the shared address: " in line]
    amounts = {kind: int(count) for kind, count in re.findall(r"(ip \w+|nft) \((\d+)\)", summary)}
    assert set(amounts) == {"ip route", "nft", "ip rule"}
    commands = [line for line in full if line and not line.startswith("#")]
    left_out = [line for line in commands if line not in short]
    assert len(left_out) == sum(amounts.values()) > 15
    assert [line for line in commands if line in short] == [
        line for line in short if line and not line.startswith("#")
    ]
    assert sum(line.startswith("ip rule") for line in left_out) == amounts["ip rule"]
    assert short.index(summary) < short.index("sysctl net.ipv4.ip_forward=1")
    assert max(map(len, (line for line in short if line.startswith("# ")))) <= 110


def test_what_is_missing_of_a_shared_address_is_listed_all_the_same(
    machine: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    from ratsnake.daemon.configuration.configuration_file import run_options_of
    from ratsnake.daemon.host_integration.host_setup_manager import with_addresses
    from ratsnake.daemon.host_integration.host_values import NOTHING
    from ratsnake.daemon.host_integration.settings_for_host import fit, request_of

    texts = {"device": "nat0", "lan": ["lan0"], "wan": "wan0", "share-address": "yes"}
    options = run_options_of({**texts, "external": ["interface:wan0"], "internal": [_PLAN[-1]]})
    install(request_of(fit(options, with_addresses(options, NOTHING)).options))
    shared = (*_PLAN[:-3], "interface:wan0", *_PLAN[-2:], "--share-address")
    assert main(list(shared)) == 0
    said = capsys.readouterr().out
    assert "\n# in force: what divides the shared address: " in said and "MISSING" not in said
    _type("ip rule del priority 52 ipproto udp dport 1024-32767")
    assert main(list(shared)) == 0
    said = capsys.readouterr().out
    at = said.index(
        "# MISSING: these are the NAT's, where no socket of the host waits\nip rule add"
    )
    assert " ipproto 17 dport 1024-32767 " in said[at:]


def _doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["doctor", *arguments])
    return code, capsys.readouterr().out


def _nowhere(capsys: pytest.CaptureFixture[str]) -> list[str]:
    code, said = _doctor(capsys, "--device", "nat0")
    assert code == 1
    first, second, *others = said.splitlines()
    assert first.startswith("no ratsnake is running at ") and "nat0.sock" in first
    assert second == "    ratsnake run"
    return others


def test_the_doctor_without_a_nat_looks_by_itself(
    machine: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _nowhere(capsys) == []
    _type("ip rule del lookup main")
    assert _nowhere(capsys) == [
        "no rule of IPv4 looks into the main table: no route there counts",
        f"    {_MAIN_RULE}",
    ]
    _type(_MAIN_RULE, "ip rule add priority 20003 protocol 82 iif nat3 goto 28003")
    left = ["a killed run left 1 change to this host", "    ratsnake host repair"]
    assert _nowhere(capsys) == left
    assert main(["host", "repair"]) == 0
    assert capsys.readouterr().out == "ip rule del priority 20003 protocol 82\n"
    assert _nowhere(capsys) == []


def test_the_doctor_says_what_it_cannot_see(
    machine: Namespace,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    unseen = "what killed runs left on this host; type `sudo ratsnake doctor`"
    assert _nowhere(capsys) == [f"(not looked at: {unseen})"]
    code, said = _doctor(capsys, "--device", "nat0", "--json")
    found = json.loads(said)
    assert code == 1 and found["unseen"] == [unseen] and found["restored"] == 0
    assert [one["command"] for one in found["problems"]] == ["ratsnake run"]


def test_the_doctor_asks_the_nat_of_the_device(
    player: Player,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Of several each has a socket that is named after its device."""
    (tmp_path / "ratsnake").mkdir(mode=0o700)
    (tmp_path / "ratsnake/guest.sock").symlink_to(player.path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    lost = {"follows": "interface:ppp0", "lost": "ppp0 has no IPv4 address"}
    player.rows = [{"problems": [], "restored": 2, "external": [lost]}]
    assert _doctor(capsys, "--device", "guest") == (
        1,
        "interface:ppp0: ppp0 has no IPv4 address\n"
        "    ip -brief address\n"
        "(made again: 2 of the NAT's changes to this host, which others had undone)\n",
    )
    player.rows = [{"problems": [], "restored": 0, "external": []}]
    assert _doctor(capsys, "--device", "guest") == (0, "nothing is wrong\n")
    code, said = _doctor(capsys, "--device", "guest", "--json")
    assert (code, json.loads(said)) == (0, {"problems": [], "restored": 0, "unseen": []})
