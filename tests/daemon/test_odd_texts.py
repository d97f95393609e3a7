"""Null characters, and bytes that are no text, in each value: refused as it, or part of a path."""

from __future__ import annotations

import pytest

from ratsnake.daemon.configuration.flag_definition import Flag
from ratsnake.daemon.configuration.flag_table import RUN_FLAGS
from ratsnake.daemon.configuration.option_parsing import run_options
from ratsnake.daemon.control.socket_path import Claim
from ratsnake.daemon.user_errors import UsageError, shown

REQUIRED = {"external": ["203.0.113.1"], "internal": ["192.0.2.128/25"]}
#: A path may hold any byte but null; in arguments those that are no text become surrogates.
NULLS = ("a\0b", "\0", "/tmp/a\0b", "eth0\0", "203.0.113.1\0", "interface:wan\0", "1\0")
NO_TEXT = ("\udcff", "wan\udc80", "interface:\udcff", "1\udcff")
PATHS = ("control", "file", "sink")


@pytest.mark.parametrize("flag", RUN_FLAGS, ids=lambda flag: flag.key)
def test_whatever_is_no_value_is_refused_by_its_name(flag: Flag) -> None:
    for text in NULLS + (NO_TEXT if flag.key not in PATHS else ()):
        if flag.switch or flag.table or flag.key == "control":
            continue
        with pytest.raises(UsageError) as caught:
            run_options({**REQUIRED, flag.key: [text] if flag.repeat else text})
        assert f"{flag.name} " in str(caught.value), text


@pytest.mark.parametrize("text", NULLS)
def test_the_control_socket_has_no_null_in_its_path(text: str) -> None:
    with pytest.raises(UsageError, match="--control"):
        Claim(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\0b", r"a\x00b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines", "two lines"),
        ("\udcff", r"\udcff"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}", r"\u202e"),
        ("é → ü", "é → ü"),
    ],
)
def test_messages_show_what_a_terminal_would_obey(text: str, line: str) -> None:
    assert shown(text) == line
