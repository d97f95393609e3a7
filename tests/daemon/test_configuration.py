"""The configuration file: read like flags, refused as a whole, and beaten by them."""

import grp
import os
import pwd
from pathlib import Path
from typing import Any

import jsonschema
import pytest

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
from ratsnake.daemon.configuration.json_schema import schema
from ratsnake.daemon.configuration.option_parsing import run_options
from ratsnake.daemon.user_errors import UsageError
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
    assert sorted([*keys, *tables]) == sorted(flag.key for flag in RUN_FLAGS)


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
    ('[nat]\nexternal = "203.0.113.1"', "nat.external: '203.0.113.1'", "must be a list of texts"),
    ("[nat]\nexternal = [1]", "nat.external: [1]", "must be a list of texts"),
    ("[nat]\nport-block = true", "nat.port-block: True", "must be a whole number"),
    ("[packets]\nmtu = -1", "packets.mtu -1", "must be a whole number, such as 512"),
    ('[packets]\nmtu = "1460"', "packets.mtu: '1460'", "must be a whole number"),
    ('[packets]\ndecrement-ttl = "yes"', "packets.decrement-ttl: 'yes'", "must be true or false"),
    ("[host]\nlan = 5", "host.lan: 5", "must be a text in quotes or a list of texts"),
    ("timeouts = 5", "timeouts: ", "must be a section, [timeouts]"),
    ("[timeouts]\nupd = 5", "timeouts.upd: no such key", "mean udp?"),
    ("[timeouts]\nudp = 0", "timeouts.udp: 0", "1..604800"),
    ("[limits]\nzzz = 5", "limits.zzz: no such key", "there are mappings, sessions"),
    ("[limits]\nfragments = 3", "limits.fragments: 3", "4..16000000"),
    ('[nat]\nexternal = ["192.168.1.1"]', "nat.external: 192.168.1.1", "inside"),
    ("[packets]\nmtu = 5", "packets.mtu: 5", "576"),
]


@pytest.mark.parametrize(("text", "name", "right"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_a_mistake_names_file_key_value_and_what_is_right(text: str, name: str, right: str) -> None:
    head = "" if text.startswith("[nat]") or "externl" in text or "timeouts =" in text else EXTERNAL
    text = f"[nat]\n{text}" if "externl" in text else text
    with pytest.raises(UsageError) as failure:
        options(head + text)
    message = str(failure.value)
    assert message.startswith(f"home.toml: {name}"), message
    assert right in message and "\n" not in message, message


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
            "^F: nat.ports: a number that is far too large: must be a text in quotes$",
        ),
        (
            "[nat]\nexternal = [0x" + "f" * 5000 + "]",
            "^F: nat.external: a number that is far too large: must be a list of texts$",
        ),
    ],
)
def test_nesting_and_numbers_beyond_all_measure_are_refused_in_words(
    text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        configuration.parse(text, "F")


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
    assert main(["check", "--schema"]) == 0
    assert '"additionalProperties": false' in capsys.readouterr().out
