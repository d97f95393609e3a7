"""`ratsnake ports`: for people, for programs, for nftables."""

import json
import os
import subprocess

import pytest

from ratsnake.cli.main import main
from ratsnake.lab.router_nat import nft_program
from ratsnake.portset import PortSet
from ratsnake.portset.psid_format import PsidFormat

RFC_EXAMPLE = ["ports", "map-e", "--offset", "6", "--psid-len", "8", "--psid", "0x34"]


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize(
    ("argv", "title", "ports"),
    [
        (["ports", "v6plus", "33"], "v6plus PSID 33 (0x21): 240 in 15", PsidFormat(4, 8).ports(33)),
        (["ports", "ocn", "0x2a"], "ocn PSID 42 (0x2a): 1008 in 63", PsidFormat(6, 6).ports(42)),
        (["ports", "biglobe", "0"], "biglobe PSID 0 (0x0): 240 in 15", PsidFormat(4, 8).ports(0)),
        (["ports", "nuro", "1"], "nuro PSID 1 (0x1): 240 in 15", PsidFormat(4, 8).ports(1)),
        (RFC_EXAMPLE, "map-e PSID 52 (0x34): 252 in 63", PsidFormat(6, 8).ports(0x34)),
    ],
)
def test_for_people(
    argv: list[str], title: str, ports: PortSet, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, *argv).splitlines()
    assert lines[0] == f"{title} ranges"
    assert max(map(len, lines)) <= 80
    assert PortSet.parse(",".join(" ".join(lines[1:]).split())) == ports
    # Every column is aligned to the right.
    assert len({len(line) for line in lines[2:-1]}) == 1


def test_one_range(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "ports", "map-e", "--offset", "0", "--psid-len", "8", "--psid", "16")
    assert out == "map-e PSID 16 (0x10): 256 in 1 range\n\n  4096-4351\n"


@pytest.mark.parametrize(
    ("argv", "offset", "psid_len", "psid"),
    [(["ports", "ocn", "42"], 6, 6, 42), (RFC_EXAMPLE, 6, 8, 0x34)],
)
def test_for_programs(
    argv: list[str],
    offset: int,
    psid_len: int,
    psid: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = json.loads(printed(capsys, *argv, "--json"))
    ports = PsidFormat(offset, psid_len).ports(psid)
    assert answer == {
        "kind": argv[1],
        "offset": offset,
        "psid_len": psid_len,
        "psid": psid,
        "count": len(ports),
        "ranges": [list(one) for one in ports.ranges],
        "ports": str(ports),
    }


@pytest.mark.parametrize(
    "argv",
    [
        ["ports", "v6plus", "33"],
        ["ports", "ocn", "63"],
        ["ports", "map-e", "--offset", "0", "--psid-len", "16", "--psid", "7000"],
    ],
)
def test_for_nftables(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, *argv, "--nft")
    assert max(len(line.expandtabs(8)) for line in out.splitlines()) <= 80
    nft = nft_program()
    if nft is None or os.geteuid() != 0:
        pytest.skip("nft is not installed (package nftables), or this is not root")
    done = subprocess.run([nft, "-c", "-f", "-"], input=out, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_nftables_gets_every_range(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "ports", "ocn", "9", "--nft")
    elements = out.split("elements = {")[1].split("}")[0]
    assert PortSet.parse(" ".join(elements.split())) == PsidFormat(6, 6).ports(9)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: PROVIDER"),
        (["v6pluss", "3"], "v6pluss: no such provider; did you mean v6plus?"),
        (["zzz", "3"], "zzz: no such provider; known are v6plus, ocn, biglobe, nuro, map-e"),
        (["ocn"], "ocn: your line's PSID is missing"),
        (["ocn", "64"], "ocn: 64 is no PSID of 6 bits; those go from 0 to 63"),
        (["ocn", "x"], "ocn: 'x' is not a number"),
        (["ocn", "1", "--offset", "4"], "ocn: --offset A is for map-e only"),
        (["map-e"], "map-e: --offset A is missing"),
        (["map-e", "--offset", "4", "--psid", "1"], "map-e: --psid-len K is missing"),
        (["map-e", "7"], "map-e: 7 is one too many; it takes --offset A, --psid-len K, --psid N"),
        (
            ["map-e", "--offset", "9", "--psid-len", "8", "--psid", "1"],
            "map-e: a PSID offset of 9 and a PSID of 8 bits take 17 bits; a port has 16",
        ),
        (
            ["map-e", "--offset", "4", "--psid-len", "8", "--psid", "256"],
            "map-e: 256 is no PSID of 8 bits",
        ),
        (["map-e", "--offset", "0", "--psid-len", "16", "--psid", "0"], "port 0 only"),
        (["ocn", "1", "--json", "--nft"], "not allowed with"),
    ],
)
def test_mistakes(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ports", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ratsnake: error: ")
    assert err.count("\n") == 1
    assert message in err
