"""`ratsnake who`: both directions, what it prints, and how it says that there is nobody."""

import json

import pytest

from ratsnake.cli.main import main

FLAGS = [
    *("--external", "203.0.113.1", "--external", "203.0.113.2"),
    *("--internal", "192.168.1.0/24", "--internal", "10.9.0.0/24"),
]
GAPPED = ["--ports", "5000-5255,7000-7256"]


def test_an_external_port_has_an_internal_host(capsys: pytest.CaptureFixture[str]) -> None:
    """64,512 ports for 256 hosts are 252 each; the second prefix is on the second address."""
    for subject, host in (
        ("203.0.113.1:1024", "192.168.1.0"),
        ("203.0.113.1:1275", "192.168.1.0"),
        ("203.0.113.1:1276", "192.168.1.1"),
        ("203.0.113.2:65535", "10.9.0.255"),
    ):
        assert main(["who", subject, *FLAGS]) == 0
        assert capsys.readouterr().out == f"{host}\n"


def test_an_internal_host_has_an_external_address_and_ports(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["who", "10.9.0.1", *FLAGS]) == 0
    assert capsys.readouterr().out == "203.0.113.2 ports 1276-1527\n"
    assert main(["who", "10.9.0.1", *FLAGS, "--port-block", "100"]) == 0
    assert capsys.readouterr().out == "203.0.113.2 ports 1124-1223\n"


def test_json_says_all_in_both_directions(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--external", "203.0.113.1", "--internal", "192.168.1.0/29", *GAPPED, "--json"]
    for subject in ("192.168.1.4", "203.0.113.1:7001"):
        assert main(["who", subject, *flags]) == 0
        assert json.loads(capsys.readouterr().out) == {
            "internal": "192.168.1.4",
            "external": "203.0.113.1",
            "ports": "7000-7063",
        }


def test_ports_with_gaps_are_printed_as_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--external", "203.0.113.1", "--internal", "192.168.1.0/31"]
    assert main(["who", "192.168.1.0", *flags, "--ports", "1-4,10-12,20-25"]) == 0
    assert capsys.readouterr().out == "203.0.113.1 ports 1-4,10-11\n"


@pytest.mark.parametrize(
    ("subject", "flags", "message"),
    [
        ("192.168.2.1", [], "192.168.2.1 has no ports: it is in none of the --internal prefixes"),
        ("203.0.113.3:5000", [], "203.0.113.3 is none of the --external addresses"),
        ("203.0.113.1:1023", [], "203.0.113.1:1023 is nobody's: the port is not in --ports"),
        ("203.0.113.2:26624", ["--port-block", "100"], "26624 is nobody's"),
        ("203.0.113.2:6000", GAPPED, "6000 is nobody's"),
        ("203.0.113.2:7256", GAPPED, "7256 is nobody's"),
    ],
)
def test_nobody_is_found(
    subject: str, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["who", subject, *FLAGS, *flags]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: ADDRESS[:PORT]"),
        (["192.168.1.1"], "--external ADDR[=PORTS] is needed"),
        (["host", *FLAGS], "host: 'host' is not an IPv4 address; right is"),
        (["2001:db8::1", *FLAGS], "2001:db8::1: '2001' is not an IPv4 address"),
        (["", *FLAGS], "'' is not an IPv4 address"),
        (["203.0.113.1:", *FLAGS], "203.0.113.1:: '' is not a port"),
        (["203.0.113.1:x", *FLAGS], "'x' is not a port"),
        (["203.0.113.1:\u0665", *FLAGS], "is not a port"),
        (["203.0.113.1:1:2", *FLAGS], "'1:2' is not a port"),
        (["203.0.113.1:0", *FLAGS], "0 is not a port; they go from 1 to 65535"),
        (["203.0.113.1:65536", *FLAGS], "65536 is not a port"),
        (["203.0.113.1:" + "9" * 5000, *FLAGS], "is not a port"),
        (["203.0.113.1", *FLAGS], "an outside address needs a port, such as 203.0.113.1:5000"),
        (["192.168.1.1:5000", *FLAGS], "192.168.1.1 is an inside address; leave the port out"),
        (["192.168.1.1", *FLAGS, "--external", "203.0.113.1"], "203.0.113.1 stands twice"),
        (["192.168.1.1", *FLAGS, "--external", "192.168.1.9"], "--external: 192.168.1.9 lies ins"),
        (
            ["192.168.1.1", *FLAGS, "--internal", "10.0.0.0/8"],
            "10.9.0.0/24 lies inside",
        ),
        (["192.168.1.1", *FLAGS, "--port-block", "253"], "--port-block: 253 ports each do not fit"),
        (["192.168.1.1", *FLAGS, "--port-block", "-1"], "--port-block"),
        (["192.168.1.1", "--external", "203.0.113.1"], "--internal: 22,085,632 addresses share 1"),
    ],
)
def test_wrong_requests(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
