"""`ratsnake map-e`: a line's address, ports and tunnel."""

import json

import pytest

from ratsnake.cli.main import main
from ratsnake.portset import PortSet, read_ports
from ratsnake.portset.providers import known_rules
from ratsnake.portset.psid_format import PsidFormat

LINE = "2001:db8:12:3400::/56"
RULE = "2001:db8::/40,192.0.2.0/24,ea=16"


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["map-e", *argv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_a_known_provider(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "240b:10:1234:5600::/56") == (
        "provider       v6plus (JPNE)\n"
        "rule           240b:10::/31 -> 106.72.0.0/15, 25 EA bits\n"
        "\n"
        "IPv4 address   106.72.18.52\n"
        "PSID           86 (0x56), 8 bits at offset 4\n"
        "CE address     240b:10:1234:5600:6a:4812:3400:5600\n"
        "  by RFC 7597  240b:10:1234:5600:0:6a48:1234:56\n"
        "border relay   2404:9200:225:100::64\n"
        "tunnel MTU     1460; clamp the TCP MSS to 1420\n"
        "ports          240 in 15 ranges\n"
        "\n"
        "    5472-5487    9568-9583  13664-13679  17760-17775  21856-21871  25952-25967\n"
        "  30048-30063  34144-34159  38240-38255  42336-42351  46432-46447  50528-50543\n"
        "  54624-54639  58720-58735  62816-62831\n"
        "\n"
        "ratsnake run --external 106.72.18.52 --lan br0 --mtu 1460 \\\n"
        "    --ports map-e:240b:10:1234:5600::/56\n"
    )


def test_a_rule_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, LINE, "--rule", f"{RULE}, br=2001:db8:ffff::1").splitlines()
    assert lines[:8] == [
        "rule           2001:db8::/40 -> 192.0.2.0/24, 16 EA bits",
        "",
        "IPv4 address   192.0.2.18",
        "PSID           52 (0x34), 8 bits at offset 6",
        "CE address     2001:db8:12:3400:0:c000:212:34",
        "  by draft-03  2001:db8:12:3400:c0:2:1200:3400",
        "border relay   2001:db8:ffff::1",
        "tunnel MTU     1460; clamp the TCP MSS to 1420",
    ]
    assert lines[-1] == f"    --ports map-e:{LINE},{RULE},br=2001:db8:ffff::1"


@pytest.mark.parametrize(
    "argv", [("240b:10:1234:56ab::1",), ("2001:db8:12:34ff::/64", "--rule", RULE)]
)
def test_the_command_it_offers_has_the_ports_it_shows(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(capsys, *argv)
    shown = out.split("ranges\n")[1].split("ratsnake")[0]
    assert read_ports(out.split("--ports ")[1].strip()) == PortSet.parse(",".join(shown.split()))


@pytest.mark.parametrize(
    ("rule", "address"),
    [("2001:db8::/40,192.0.2.0/24,ea=8", "192.0.2.18"), (f"{LINE},192.0.2.18,ea=0", "192.0.2.18")],
)
def test_an_address_not_shared(rule: str, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, LINE, "--rule", rule)
    assert f"IPv4 address   {address}\n" in out
    assert "border relay   not in the rule\n" in out
    assert "PSID" not in out
    assert "ratsnake run" not in out
    assert out.endswith("\n  1-65535\n")


def test_a_prefix_of_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, LINE, "--rule", "2001:db8::/40,192.0.0.0/16,ea=8")
    assert "IPv4 address   192.0.18.0/24\n" in out


def test_says_which_rules_one_source_has(capsys: pytest.CaptureFixture[str]) -> None:
    for known in known_rules():
        out = printed(capsys, f"{known.rule.ipv6.network_address}/56")
        assert ("only one source has this rule" in out) != known.confirmed
        assert f"provider       {known.provider.title}\n" in out
        assert max(map(len, out.splitlines())) <= 80


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    ports = PsidFormat(4, 8).ports(86)
    answer = json.loads(printed(capsys, "240b:10:1234:5600::/56", "--json"))
    assert len(answer.pop("sources")) == 2
    assert answer == {
        "provider": "v6plus",
        "rule": {
            "ipv6": "240b:10::/31",
            "ipv4": "106.72.0.0/15",
            "ea_len": 25,
            "offset": 4,
            "psid_len": 8,
        },
        "prefix": "240b:10:1234:5600::/56",
        "ipv4": "106.72.18.52",
        "psid": 86,
        "count": 240,
        "ranges": [list(one) for one in ports.ranges],
        "ports": str(ports),
        "ce_address": "240b:10:1234:5600:6a:4812:3400:5600",
        "ce_address_rfc7597": "240b:10:1234:5600:0:6a48:1234:56",
        "ce_address_draft03": "240b:10:1234:5600:6a:4812:3400:5600",
        "border_relay": "2404:9200:225:100::64",
        "mtu": 1460,
        "mss": 1420,
    }


def test_for_programs_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(printed(capsys, LINE, "--rule", f"{RULE},draft03", "--json"))
    assert (answer["provider"], answer["sources"], answer["border_relay"]) == (None, [], None)
    assert answer["ce_address"] == answer["ce_address_draft03"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: IPV6-PREFIX"),
        (["nonsense"], "'nonsense' is not an IPv6 prefix or address"),
        (["240b:10::/48"], "240b:10::/48 is too short: 240b:10::/31 and 25 EA bits need"),
        ([LINE], f"{LINE} is under no known rule of v6plus, ocn, biglobe, nuro"),
        ([LINE, "--rule", "x"], "--rule x: a rule is IPV6-PREFIX,IPV4-PREFIX,ea=BITS"),
        (["2001:db8:100::/56", "--rule", RULE], "is not in the rule's 2001:db8::/40"),
        (["2001:db8::/48", "--rule", RULE], "need a prefix of /56 or longer"),
    ],
)
def test_mistakes(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map-e", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ratsnake: error: ")
    assert err.count("\n") == 1
    assert message in err
