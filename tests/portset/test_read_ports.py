"""What `--ports` takes."""

import pytest

from ratsnake.portset import PortSet, read_ports
from ratsnake.portset.psid_format import PsidFormat


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("5000-5999,7000", PortSet.parse("5000-5999,7000")),
        ("v6plus:33", PsidFormat(4, 8).ports(33)),
        ("v6plus:0x21", PsidFormat(4, 8).ports(33)),
        ("biglobe:0", PsidFormat(4, 8).ports(0)),
        ("nuro:0XFF", PsidFormat(4, 8).ports(255)),
        (" ocn:63 ", PsidFormat(6, 6).ports(63)),
        ("map-e:240b:10:1234:5600::/56", PsidFormat(4, 8).ports(0x56)),
        ("map-e:240b:10:1234:56ab::1", PsidFormat(4, 8).ports(0x56)),
        ("map-e:240b:10:1234:56ab::1/64", PsidFormat(4, 8).ports(0x56)),
        (
            "map-e:2001:db8:12:3400::/56,2001:db8::/40,192.0.2.0/24,ea=16,offset=4",
            PsidFormat(4, 8).ports(0x34),
        ),
    ],
)
def test_reads(text: str, ports: PortSet) -> None:
    assert read_ports(text) == ports


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty part"),
        ("7000,", "empty part"),
        ("70000", "70000 is not a port"),
        ("v6plus", "v6plus needs your line's PSID: v6plus:PSID"),
        ("v6plus:", "v6plus needs your line's PSID"),
        ("v6plus:256", "256 is no PSID of 8 bits; those go from 0 to 255"),
        ("ocn:0x40", "0x40 is no PSID of 6 bits; those go from 0 to 63"),
        ("v6plus:-1", "'-1' is not a number"),
        ("v6plus:0x", "'0x' is not a number"),
        ("v6plus:9999999999", "'9999999999' is not a number"),
        ("v6plus:\u0663", "is not a number"),
        ("v6pls:33", r"there is no 'v6pls'; did you mean v6plus\?"),
        ("V6PLUS:33", r"did you mean v6plus\?"),
        ("mape:2001:db8::/56", r"did you mean map-e\?"),
        ("http", "there is no 'http'; right are ports"),
        ("map-e", "map-e needs your line's prefix"),
        ("map-e:", "map-e needs your line's prefix"),
        ("map-e:192.0.2.1", "'192.0.2.1' is not an IPv6 prefix or address"),
        ("map-e:2001:db8::/129", "is not an IPv6 prefix or address"),
        ("map-e:2001:db8::/56", "under no known rule"),
        ("map-e:240b:10::/40", "240b:10::/40 is too short"),
        ("map-e:2001:db8::/56,2001:db8::/40", "a rule is IPV6-PREFIX,"),
        (
            "map-e:2001:db8::/48,2001:db8::/40,192.0.2.0/24,ea=16",
            "2001:db8::/48 is too short: 2001:db8::/40 and 16 EA bits need a prefix of /56",
        ),
    ],
)
def test_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read_ports(text)
    assert "\n" not in str(caught.value)
