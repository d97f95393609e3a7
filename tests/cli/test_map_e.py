"""`ratsnake map-e`: a line's address, ports and tunnel."""

import json
import shlex
from collections.abc import Callable

import pytest

from ratsnake.cli.argument_table import texts
from ratsnake.cli.main import main, make_parser
from ratsnake.daemon.configuration.configuration_file import options_of, parse
from ratsnake.daemon.configuration.option_parsing import RunOptions, run_options
from ratsnake.nat.nat import Nat
from ratsnake.portset import PortSet
from ratsnake.portset.providers import known_rules
from ratsnake.portset.psid_format import PsidFormat
from support.packets import udp

LINE = "2001:db8:12:3400::/56"
RULE = "2001:db8::/40,192.0.2.0/24,ea=16"


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["map-e", *argv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def offered_command(out: str) -> RunOptions:
    """What `ratsnake run` makes of the command that was printed."""
    words = shlex.split(out.split("    ratsnake ")[1].split("\n\n")[0].replace("\\\n", " "))
    parser, _ = make_parser(words)
    return run_options(texts(parser.parse_args(words)))


def offered_file(out: str) -> RunOptions:
    return options_of(parse(out[out.index("    [nat]") :], "offered"), {})


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
        "To run the NAT, with your LAN's interface for br0:\n"
        "\n"
        "    ratsnake run --external 106.72.18.52 --lan br0 --mtu 1460 \\\n"
        "        --nat quasi-restricted-cone \\\n"
        "        --ports map-e:240b:10:1234:5600::/56\n"
        "\n"
        "With this NAT type each of the 240 ports serves many remotes; others run out.\n"
        "As a configuration file (`ratsnake init --setup map-e` writes it with comments):\n"
        "\n"
        "    [nat]\n"
        '    external = ["106.72.18.52"]\n'
        '    ports = "map-e:240b:10:1234:5600::/56"\n'
        "    [types]\n"
        '    nat = "quasi-restricted-cone"\n'
        "    [packets]\n"
        "    mtu = 1460\n"
        "    [host]\n"
        '    lan = "br0"\n'
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
    assert f"        --ports map-e:{LINE},{RULE},br=2001:db8:ffff::1" in lines


@pytest.mark.parametrize(
    "argv", [("240b:10:1234:56ab::1",), ("2001:db8:12:34ff::/64", "--rule", RULE)]
)
def test_the_command_it_offers_has_the_ports_it_shows(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(capsys, *argv)
    shown = out.split("ranges\n")[1].split("To run")[0]
    (external,) = offered_command(out).nat.settings.externals
    assert external.ports == PortSet.parse(",".join(shown.split()))


def test_the_file_it_offers_says_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, LINE, "--rule", RULE)
    assert offered_file(out) == offered_command(out)


@pytest.mark.parametrize("offer", [offered_command, offered_file])
def test_what_it_offers_serves_more_flows_than_there_are_ports(
    offer: Callable[[str], RunOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = offer(printed(capsys, "240b:10:1234:5600::/56")).nat.settings
    nat = Nat(settings, seed=bytes(80))
    for number in range(400):
        packet = udp(("192.168.1.10", 10_000 + number), (f"198.51.100.{number % 100 + 1}", 443))
        assert nat.translate(packet, 0) == 0, number


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
