"""The configuration file: read like flags, refused as a whole, and beaten by them."""

import grp
import os
import pwd
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ratsnake.cli import local_interfaces
from ratsnake.cli.main import main
from ratsnake.daemon.configuration import configuration_file as configuration
from ratsnake.daemon.configuration.configuration_dump import effective
from ratsnake.daemon.configuration.configuration_file import (
    KEYS,
    TABLE_FLAGS,
    from_document,
    options_of,
)
from ratsnake.daemon.configuration.flag_table import RUN_FLAGS
from ratsnake.daemon.configuration.host_nat_types import TYPE_KEYS
from ratsnake.daemon.configuration.json_schema import schema
from ratsnake.daemon.configuration.option_parsing import run_options
from ratsnake.daemon.configuration.toml_values import EXAMPLES
from ratsnake.daemon.user_errors import UsageError, messages_of
from ratsnake.host.processes.forked_call import in_child
from ratsnake.nat.rules.behaviour import PRESETS

EXTERNAL = '[nat]\nexternal = ["203.0.113.1"]\n'
FULL = """
[nat]
external = ["203.0.113.1", "203.0.113.2=7000-7999"]
internal = ["192.168.1.0/24"]
ports = "v6plus:33"

[types]
nat = "full-cone"
tcp = "symmetric"

[rules]
forward = ["tcp:4624=192.168.1.10:22"]

[packets]
mtu = 1460
decrement-ttl = true

[host]
device = "nat0"
lan = "br0"
control = "/run/nat0.sock"

[timeouts]
udp = 180

[limits]
host-sessions = 2000
"""
FLAGS: dict[str, Any] = {
    "external": ["203.0.113.1", "203.0.113.2=7000-7999"],
    "internal": ["192.168.1.0/24"],
    "ports": "v6plus:33",
    "nat": "full-cone",
    "tcp": "symmetric",
    "forward": ["tcp:4624=192.168.1.10:22"],
    "mtu": "1460",
    "decrement-ttl": "yes",
    "device": "nat0",
    "lan": ["br0"],
    "control": "/run/nat0.sock",
    "timeout": ["udp=180"],
    "limit": ["host-sessions=2000"],
}


def parsed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = configuration.tomllib.loads(text)
    return document


def options(text: str, **flags: Any) -> Any:
    given = {key.replace("_", "-"): value for key, value in flags.items()}
    return options_of(from_document(parsed(text), "home.toml"), given)


def test_a_file_says_what_the_flags_say() -> None:
    assert options(FULL) == run_options(FLAGS)


def test_every_flag_has_its_key_and_the_reverse() -> None:
    keys = [key for flags in KEYS.values() for key in flags]
    tables = [flag.key for flag in TABLE_FLAGS.values()]
    several = [flag.key for flag in RUN_FLAGS if flag.tables]
    assert sorted([*keys, *tables, *several]) == sorted(flag.key for flag in RUN_FLAGS)


def test_a_flag_wins_over_its_key() -> None:
    made = options(FULL, external=["198.51.100.1"], tcp="full-cone", mtu="1400", lan=None)
    assert [str(address) for address in made.nat.settings.addresses] == ["198.51.100.1"]
    assert made.nat.settings.tcp == PRESETS["full-cone"].behaviour
    assert made.nat.settings.mtu == 1400
    assert made.lans == ("br0",)


def test_one_lan_is_a_text_and_several_are_a_list() -> None:
    several = EXTERNAL + "[host]\nlan = ['br0', 'wg0']"
    assert options(EXTERNAL + "[host]\nlan = 'br0'").lans == ("br0",)
    assert options(several).lans == ("br0", "wg0")
    read = from_document(parsed(several), "home.toml")
    assert options_of(read, {"lan": ["br1"]}).lans == ("br1",)
    with pytest.raises(UsageError, match="home.toml: host.lan br0: is given twice"):
        options_of(
            from_document(parsed(EXTERNAL + "[host]\nlan = ['br0', 'br0']"), "home.toml"), {}
        )


def test_a_flag_wins_over_one_name_of_a_table() -> None:
    text = EXTERNAL + "[timeouts]\nudp = 180\nicmp = 30\n"
    timeouts = options(text, timeout=["udp=60", "rest=0"]).nat.settings.timeouts
    assert (timeouts.udp, timeouts.icmp, timeouts.rest) == (60, 30, 0)


MISTAKES = [
    ('[types]\nnat = "restrictd-cone"', "types.nat restrictd-cone: ", "mean restricted-cone?"),
    ('externl = ["203.0.113.1"]', "nat.externl: no such key", "mean external?"),
    ('[nat]\nudp = "full-cone"', "nat.udp: ", "a key of [types]; put it there"),
    ("[nt]\nmtu = 1", "[nt]: no such section", "mean nat?"),
    (
        "[zzz]",
        "[zzz]: no such section",
        "there are nat, types, rules, packets, host, events",
    ),
    (
        '[nat]\nexternal = "203.0.113.1"',
        'nat.external: "203.0.113.1"',
        'such as external = ["203.0.113.1"]',
    ),
    ("[nat]\nexternal = [1]", "nat.external: [1]", "must be a list of texts"),
    ("[nat]\nport-block = true", "nat.port-block: true", "must be a whole number of ports"),
    ("[packets]\nmtu = -1", "packets.mtu -1", "must be a whole number, such as 512"),
    ('[packets]\nmtu = "1460"', 'packets.mtu: "1460"', "such as mtu = 1460"),
    (
        '[packets]\ndecrement-ttl = "yes"',
        'packets.decrement-ttl: "yes"',
        "true or false, such as decrement-ttl = true",
    ),
    ("[host]\nlan = 5", "host.lan: 5", "must be a text in quotes or a list of texts"),
    ("timeouts = 5", "timeouts: ", "must be a section, [timeouts]"),
    ("[timeouts]\nupd = 5", "timeouts.upd: no such key", "mean udp?"),
    ("[timeouts]\nudp = 0", "timeouts.udp: 0", "from 1 to 604800"),
    ("[limits]\nzzz = 5", "limits.zzz: no such key", "there are mappings, sessions"),
    ("[limits]\nfragments = 3", "limits.fragments: 3", "from 4 to 16000000"),
    ('[nat]\nexternal = ["192.168.1.1"]', "nat.external: 192.168.1.1", "inside"),
    ("[packets]\nmtu = 5", "packets.mtu: 5", "576"),
]


@pytest.mark.parametrize(("text", "name", "right"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_a_mistake_names_file_key_value_and_what_is_right(text: str, name: str, right: str) -> None:
    head = (
        "" if "[nat]\nexternal" in text or "externl" in text or "timeouts =" in text else EXTERNAL
    )
    text = f"[nat]\n{text}" if "externl" in text else text
    if text.startswith("[nat]\n") and head:
        text, head = text.replace("[nat]\n", EXTERNAL), ""
    with pytest.raises(UsageError) as failure:
        options(head + text)
    message = str(failure.value)
    assert message.startswith(f"home.toml: {name}"), message
    assert right in message and "\n" not in message, message


def mistakes_in(text: str, **flags: Any) -> list[str]:
    with pytest.raises(UsageError) as failure:
        options_of(configuration.parse(text, "F"), flags)
    return list(messages_of(failure.value))


def test_all_mistakes_are_told_each_by_itself() -> None:
    text = """
[nat]
external = ["203.0.113.300", "203.0.113.1"]
ports = 5000
[nt]
[types]
udp = "full-con"
tcpp = "full-cone"
[packets]
mtu = "1460"
decrement-ttl = "no"
[host]
lan = ["br0", "br0"]
[timeouts]
udp = "5m"
icmp = 0
icpm = 5
[limits]
fragments = 3
"""
    told = mistakes_in(text)
    heads = [
        "F: nat.ports: 5000: must be a text in quotes",
        "F: [nt]: no such section; did you mean nat?",
        "F: types.tcpp: no such key; did you mean tcp?",
        'F: packets.mtu: "1460": must be a whole number of bytes, such as mtu = 1460',
        'F: packets.decrement-ttl: "no": must be true or false, such as decrement-ttl = false',
        'F: timeouts.udp: "5m": must be a whole number of seconds, such as udp = 300',
        "F: timeouts.icpm: no such key; did you mean icmp?",
        "F: nat.external 203.0.113.300: must be an IPv4 or IPv6 address",
        "F: types.udp full-con: no such NAT type; did you mean full-cone?",
        "F: timeouts.icmp: 0: must be a whole number of seconds from 1 to 604800",
        "F: limits.fragments: 3: must be a whole number from 4 to 16000000",
        "F: host.lan br0: is given twice",
    ]
    for head in heads:
        assert len([one for one in told if one.startswith(head)]) == 1, (head, told)
    assert len(told) == len(heads), told


def test_what_contradicts_itself_in_several_places_is_told_of_all() -> None:
    told = mistakes_in(
        '[nat]\nexternal = ["192.168.1.1"]\n[packets]\nmtu = 5\n[state]\nperiod = 0\n'
    )
    assert [one.partition(":")[2].split()[0] for one in told] == [
        "nat.external:",
        "packets.mtu:",
        "state.period",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[nat]\nexternal = [203.0.113.1, 203.0.113.2=7000-7999]  # mine\n[host]\nlan = br0\n",
            [
                "F: line 2: 203.0.113.1 needs quotes: external ="
                ' ["203.0.113.1", "203.0.113.2=7000-7999"]',
                'F: line 4: br0 needs quotes: lan = "br0"',
            ],
        ),
        (
            "[nat]\nexternal = 203.0.113.1\n[host]\nlan = br0 # the LAN\nwan = 'wan0'\n",
            [
                'F: line 2: 203.0.113.1 needs quotes: external = "203.0.113.1"',
                'F: line 4: br0 needs quotes: lan = "br0"',
            ],
        ),
        (
            "[nat]\nexternal = [203.0.113.1, 2001:db8::1]",
            ['F: line 2: 203.0.113.1 needs quotes: external = ["203.0.113.1", "2001:db8::1"]'],
        ),
        (
            '[nat]\nexternal = ["203.0.113.1"]\n[timeouts]\nudp = 5m\nicmp = 60\n',
            ["F: line 4: 5m has a unit; right is a number of seconds: udp = 300"],
        ),
        (
            '[nat]\nexternal = ["203.0.113.1"\n',
            ["F: not TOML: Unclosed array (at end of document)"],
        ),
        (
            "[packets]\nmtu = 1\nmtu = 2\n",
            ["F: not TOML: Cannot overwrite a value (at line 3, column 8): mtu = 2"],
        ),
    ],
)
def test_values_without_quotes_are_told_line_by_line(text: str, told: list[str]) -> None:
    assert mistakes_in(text) == told


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "\n"])
def test_an_empty_file_is_told_what_it_needs(text: str, tmp_path: Path) -> None:
    needed = 'nat.external is needed, such as external = ["203.0.113.1"]'
    assert mistakes_in(text) == [f"F: the file is empty; {needed}"]
    assert mistakes_in("[nat]") == [f"F: {needed}"]
    assert options(text, external=["203.0.113.1"]).lans == ()


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "home.toml"
    file.write_text(FULL, encoding="utf-8-sig")
    assert options_of(configuration.read(file), {}) == run_options(FLAGS)
    file.write_text(FULL, encoding="utf-16")
    with pytest.raises(UsageError, match="; save it as UTF-8$"):
        configuration.read(file)


def test_a_text_in_place_of_a_list_is_shown_as_one() -> None:
    (told,) = mistakes_in(EXTERNAL + 'internal = "192.168.1.0/24, 10.0.0.0/8"')
    assert told.endswith('a list of texts, such as internal = ["192.168.1.0/24", "10.0.0.0/8"]')
    (told,) = mistakes_in(EXTERNAL + "[rules]\nforward = 5")
    assert told.endswith('such as forward = ["tcp:8080=192.168.1.10:80"]')
    (told,) = mistakes_in(EXTERNAL + '[host]\ndevice = ["nat0"]')
    assert told.endswith('must be a text in quotes, such as device = "nat0"')


def test_every_list_has_an_example_and_all_are_right() -> None:
    flags = {flag.key: flag for flag in RUN_FLAGS}
    assert {key for key, flag in flags.items() if "texts" in flag.kind} <= set(EXAMPLES)
    for key, example in EXAMPLES.items():
        flags[key].read(example)


def test_a_key_outside_its_section_is_told_where_it_belongs() -> None:
    with pytest.raises(UsageError, match=r"external: is a key of \[nat\]; put it there"):
        options('external = ["203.0.113.1"]')


def test_a_flag_is_complained_about_as_a_flag_although_the_file_has_the_key() -> None:
    with pytest.raises(UsageError, match="^--udp zzz: "):
        options(EXTERNAL + '[types]\nudp = "full-cone"', udp="zzz")


def test_a_file_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    missing, broken = tmp_path / "no.toml", tmp_path / "broken.toml"
    broken.write_text("[nat\n")
    with pytest.raises(UsageError, match=f"^{missing}: No such file or directory$"):
        configuration.read(missing)
    with pytest.raises(UsageError, match=f"^{broken}: not TOML: .*line 1"):
        configuration.read(broken)
    broken.write_bytes(b"\xff")
    with pytest.raises(UsageError, match=f"^{broken}: not TOML: "):
        configuration.read(broken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 20_000, "^F: not TOML: lists or tables are nested too deeply$"),
        ("a = " + "9" * 5000, "^F: not TOML: a number has too many digits$"),
        ("[packets]\nmtu = 0x" + "f" * 5000, "^F: packets.mtu: the number is far too large$"),
        (
            "[limits]\nsessions = 0x" + "f" * 5000,
            "^F: limits.sessions: the number is far too large$",
        ),
        (
            "[nat]\nports = 0x" + "f" * 5000,
            "^F: nat.ports: a number that is far too large: must be a text in quotes, such as",
        ),
        (
            "[nat]\nexternal = [0x" + "f" * 5000 + "]",
            "^F: nat.external: a number that is far too large: must be a list of texts, such as",
        ),
    ],
)
def test_nesting_and_numbers_beyond_all_measure_are_refused_in_words(
    text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        options_of(configuration.parse(text, "F"), {"external": ["203.0.113.1"]})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_file_that_this_user_may_not_read_is_told_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "nat.toml"
    file.write_text(EXTERNAL)
    file.chmod(0o600)
    sources = configuration.sources_of({"config": str(file)})
    assert sources.warnings() == ()

    def as_nobody() -> tuple[str, tuple[str, ...]]:
        nobody = pwd.getpwnam("nobody")
        os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
        os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
        with pytest.raises(UsageError) as failure:
            sources.read()
        return str(failure.value), sources.warnings()

    message, (warning,) = in_child(as_nobody)
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    remedy = f"such as by `chgrp {group} {file}; chmod 640 {file}`"
    assert message.startswith(f"{file}: user nobody may not read it, or may not search its folder;")
    assert message.endswith(remedy) and warning.endswith(remedy)
    assert warning.startswith(f"{file} cannot be reloaded: ")


def test_where_a_run_is_told_all(tmp_path: Path) -> None:
    default = tmp_path / "ratsnake.toml"
    assert configuration.sources_of({}, default).file is None
    assert configuration.sources_of({}, default).warnings() == ()
    default.write_text(EXTERNAL)
    sources = configuration.sources_of({"udp": "full-cone", "lan": None}, default)
    assert sources.file == default
    asked = sources.read()
    assert asked.file.texts == {"external": ["203.0.113.1"]}
    assert asked.texts == {"external": ["203.0.113.1"], "udp": "full-cone"}
    default.write_text(EXTERNAL + "[types]\nudp = 'symmetric'\ntcp = 'symmetric'")
    again = sources.read().options.nat.types
    assert (again["udp"], again["tcp"]) == ("full-cone", "symmetric")


def test_the_default_file_is_read_where_it_is_there(tmp_path: Path) -> None:
    default = tmp_path / "ratsnake.toml"
    with pytest.raises(UsageError, match="--external .* is needed"):
        configuration.run_options_of({}, default)
    default.write_text(FULL)
    assert configuration.run_options_of({}, default) == run_options(FLAGS)
    other = tmp_path / "other.toml"
    other.write_text(EXTERNAL)
    assert configuration.run_options_of({"config": str(other)}, default).lans == ()


def test_the_effective_settings_are_a_file_that_says_the_same() -> None:
    read = from_document(parsed(FULL), "home.toml")
    text = effective(read, options_of(read, {}))
    assert options(text) == options_of(read, {})
    assert "udp = 180\n" in text and "icmp = 60  # default\n" in text
    assert 'udp = "full-cone"  # default' in text
    again = from_document(parsed(text), "again.toml")
    assert parsed(effective(again, options_of(again, {}))) == parsed(text)


def test_the_schema_accepts_what_is_right_and_nothing_else() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    read = from_document(parsed(FULL), "home.toml")
    for text in (FULL, effective(read, options_of(read, {}))):
        validator.validate(parsed(text))
    for text in ("'br0'", "['br0', 'wg0']", "[]"):
        validator.validate(parsed(f"[host]\nlan = {text}"))
    for text in (
        "[nt]",
        "[host]\nlan = 5",
        "[host]\nlan = [5]",
        "[nat]\nzzz = 1",
        "[packets]\nmtu = true",
        '[nat]\npooling = "some"',
    ):
        assert list(validator.iter_errors(parsed(text))), text


def test_check_prints_the_settings_or_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "home.toml"
    file.write_text(FULL)
    assert main(["check", str(file)]) == 0
    assert "[timeouts]" in capsys.readouterr().out
    file.write_text(EXTERNAL + '[types]\nnat = "cone"')
    assert main(["check", str(file)]) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith(f"ratsnake: error: {file}: types.nat cone: ")
    file.write_text("[types]\nnat = 'cone'\n[nt]\n")
    assert main(["check", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"ratsnake: error: {file}: ") for line in lines)
    assert main(["check", "--schema"]) == 0
    assert '"additionalProperties": false' in capsys.readouterr().out


def test_check_notes_interfaces_that_are_not_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_interfaces, "interface_names", lambda: ["br0", "eth0"])
    file = tmp_path / "home.toml"
    file.write_text(EXTERNAL + "[host]\nlan = ['br0', 'eth99']\nwan = 'qqq'\n")
    assert main(["check", str(file)]) == 0
    out, err = capsys.readouterr()
    assert 'lan = ["br0", "eth99"]' in out
    missing = "there is no interface of this name here now"
    assert err.splitlines() == [
        f"ratsnake: note: {file}: host.wan qqq: {missing}; there are br0, eth0",
        f"ratsnake: note: {file}: host.lan eth99: {missing}; did you mean eth0?",
    ]


HOSTS = """
[[hosts]]
prefix = "192.168.1.50/32"
nat = "full-cone"
other = "eim/eif"

[[hosts]]
prefix = "192.168.1.0/28"
udp = "full-cone"
tcp = "symmetric"
"""


def test_types_of_hosts_are_tables_and_flags_that_win_over_them() -> None:
    types = ["192.168.1.50=full-cone,other:eim/eif", "192.168.1.0/28=tcp:symmetric,udp:full-cone"]
    made = options(EXTERNAL + HOSTS)
    assert made == options(EXTERNAL, host_nat=types)
    console, others = made.nat.settings.hosts
    full, symmetric = PRESETS["full-cone"].behaviour, PRESETS["symmetric"].behaviour
    assert str(console.prefix) == "192.168.1.50/32"
    assert console.behaviours == (full,) * 7
    assert others.behaviours == (symmetric, full, *(None,) * 5)
    (only,) = options(EXTERNAL + HOSTS, host_nat=["192.168.1.9=symmetric"]).nat.settings.hosts
    assert str(only.prefix) == "192.168.1.9/32" and only.other is None
    assert options(EXTERNAL).nat.settings.hosts == ()


def test_the_keys_of_types_of_hosts_are_those_of_all_hosts() -> None:
    assert tuple(KEYS["types"]) == TYPE_KEYS


def test_what_is_in_force_says_the_types_of_hosts() -> None:
    read = from_document(parsed(EXTERNAL + HOSTS), "home.toml")
    again = parsed(effective(read, options_of(read, {})))
    assert again["hosts"] == [
        {"prefix": "192.168.1.50/32", "nat": "full-cone", "other": "eim/eif"},
        {"prefix": "192.168.1.0/28", "tcp": "symmetric", "udp": "full-cone"},
    ]
    jsonschema.validate(again, schema())


HOST = '[[hosts]]\nprefix = "192.168.1.50/32"\n'
FULL_CONE = 'nat = "full-cone"\n'
HOST_MISTAKES = [
    ('[hosts]\nprefix = "192.168.1.50/32"', "hosts: must be tables, each headed [[hosts]]"),
    ("[[hosts]]", "hosts[1]: has no prefix; give it an internal host or prefix"),
    ("[[hosts]]\n" + FULL_CONE, "hosts[1]: has no prefix;"),
    (HOST, 'hosts[1]: has no type for 192.168.1.50/32; give it one, such as nat = "full-cone"'),
    (HOST + 'nat = "full-cne"', "hosts[1].nat full-cne: no such NAT type; did you mean full-cone?"),
    (HOST + FULL_CONE + HOST + "udp = 1", "hosts[2].udp: 1: must be a text in quotes"),
    (HOST + 'upd = "full-cone"', "hosts[1].upd: no such key; did you mean udp?"),
    ('[[hosts]]\nprefix = "192.168.1.1/24"', "hosts[1].prefix 192.168.1.1/24: has bits set"),
    (HOST + FULL_CONE + HOST + FULL_CONE, "hosts: 192.168.1.50/32 is given twice"),
    (
        '[[hosts]]\nprefix = "198.51.100.0/24"\n' + FULL_CONE,
        "hosts: 198.51.100.0/24 does not lie in any internal prefix",
    ),
    ('[[hots]]\nnat = "full-cone"', "[hots]: no such section; did you mean hosts?"),
]


@pytest.mark.parametrize(("text", "message"), HOST_MISTAKES)
def test_a_mistake_in_the_types_of_hosts_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(EXTERNAL + text)
    assert str(caught.value).startswith(f"home.toml: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("192.168.1.50", "192.168.1.50: must be PREFIX=TYPE, such as 192.168.1.50=full-cone"),
        ("192.168.1.50=", "must be PREFIX=TYPE"),
        ("192.168.1.50=full", "full: no such NAT type"),
        ("192.168.1.50=upd:full-cone", "no 'upd'; did you mean udp?"),
        ("192.168.1.50=udp:full-cone,udp:symmetric", "has two types for udp; right is one"),
        ("console=full-cone", "console: must be an IPv4 or IPv6 prefix"),
        ("2001:db8::/64=full-cone", "2001:db8::/64 does not lie in any internal prefix"),
    ],
)
def test_a_mistake_in_the_flag_of_types_of_hosts_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_options({"external": ["203.0.113.1"], "host-nat": [text]})
    assert str(caught.value).startswith("--host-nat") and message in str(caught.value)
