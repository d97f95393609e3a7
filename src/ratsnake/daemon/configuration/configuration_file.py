"""The configuration file: TOML, whose sections and keys are those of the flags (flag_table.py).

A file becomes the same texts the command line gives, each with the name it has in a message:
`FILE: section.key`. So the two are read, checked and refused by the same code, as a whole.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...host.processes.user_accounts import process_account
from ...nat.settings.setting_types import Limits, Timeouts
from ..user_errors import Mistakes, UsageError, near, nearest
from .flag_definition import Flag
from .flag_table import CONFIG_FLAG, HOST_NAT_FLAG, RUN_FLAGS, RUN_GROUPS, SECTIONS
from .host_nat_types import texts_of_tables
from .option_parsing import ALL_READABLE, Names, RunOptions, Texts, Unreadable, run_options
from .toml_syntax_errors import syntax_errors
from .toml_values import text_of
from .value_parsers import table_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_FILE = Path("/etc/ratsnake.toml")
# Whose fields are the keys of a table, by the flag that takes NAME=NUMBER.
TABLES: dict[str, type[Timeouts | Limits]] = {"timeout": Timeouts, "limit": Limits}
KEYS: dict[str, dict[str, Flag]] = {
    section: {flag.key: flag for flag in RUN_GROUPS[group]} for section, group in SECTIONS.items()
}
TABLE_FLAGS = {flag.table: flag for flag in RUN_FLAGS if flag.table}
REQUIRED = [(name, flag) for name, keys in KEYS.items() for flag in keys.values() if flag.required]


@dataclass(frozen=True)
class Configuration:
    """What a file says: the flags' texts by key, and what each is called in a message.

    `unreadable` is told when the options are read, with all that is wrong then.
    """

    texts: dict[str, str | list[str]]
    names: dict[str, str]
    unreadable: Unreadable = ALL_READABLE


NOTHING = Configuration({}, {})


@dataclass(frozen=True)
class Asked:
    """What a run is asked for: what the file says of it, the texts that count with what they are
    called in a message, and the options they make."""

    file: Configuration
    texts: Texts
    names: Names
    options: RunOptions


@dataclass(frozen=True)
class Sources:
    """Where a run is told all: by flags, and by a file (None: by no file) that they win over."""

    flags: Texts
    file: Path | None

    def read(self) -> Asked:
        """Read the file, perhaps anew; raises UsageError."""
        return asked(NOTHING if self.file is None else read(self.file), self.flags)

    def warnings(self) -> tuple[str, ...]:
        """What would keep this process, as it is now, from reading the file anew."""
        if self.file is None or os.access(self.file, os.R_OK):
            return ()
        return (f"{self.file} cannot be reloaded: {_forbidden(self.file)}",)


def sources_of(flags: Texts, default: Path = DEFAULT_FILE) -> Sources:
    """The file is that of --config, or `default` if it is there."""
    given = flags.get(CONFIG_FLAG.key)
    if isinstance(given, str):
        return Sources(flags, Path(given))
    return Sources(flags, default if default.exists() else None)


def run_options_of(flags: Texts, default: Path = DEFAULT_FILE) -> RunOptions:
    """What flags say, and what the file says that they do not; raises UsageError."""
    return sources_of(flags, default).read().options


def options_of(configuration: Configuration, flags: Texts) -> RunOptions:
    """Likewise, of a file that has been read."""
    return asked(configuration, flags).options


def asked(configuration: Configuration, flags: Texts) -> Asked:
    """A flag wins over the file's key of the same name; of a table, over that one name of it.

    Raises UsageError; where there are several mistakes, UsageErrors with all of them.
    """
    texts: dict[str, str | list[str] | None] = {**configuration.texts}
    names = dict(configuration.names)
    for key, text in flags.items():
        if text is None:
            continue
        if key in TABLES and isinstance(text, list):
            texts[key] = [*configuration.texts.get(key, []), *text]
            names.pop(key, None)
            continue
        texts[key] = text
        names.pop(key, None)
    options = run_options(texts, names, configuration.unreadable)
    return Asked(configuration, texts, names, options)


def read(path: Path) -> Configuration:
    """Raises UsageError naming file, key, value, and what would be right."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows write a byte order mark
    except PermissionError:
        raise UsageError(f"{path}: {_forbidden(path)}") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}; save it as UTF-8") from None
    return parse(text, str(path))


def _forbidden(path: Path) -> str:
    """Who may not read the file, and how to let that user."""
    user, group = process_account()
    return (
        f"user {user} may not read it, or may not search its folder; let that user, such as by"
        f" `chgrp {group} {path}; chmod 640 {path}`"
    )


def parse(text: str, source: str) -> Configuration:
    """As `read`, of a file's text."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{source}: not TOML: lists or tables are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        mistakes = Mistakes(f"{source}: {message}" for message in syntax_errors(text, error))
        mistakes.raise_if_any()
    except ValueError:  # of int(), which takes 4,300 digits
        raise UsageError(f"{source}: not TOML: a number has too many digits") from None
    return from_document(document, source)


def from_document(document: Mapping[str, Any], source: str) -> Configuration:
    """The configuration of parsed TOML; `source` is what the file is called in a message."""
    texts: dict[str, str | list[str]] = {}
    names = {flag.key: _missing(source, document, section, flag) for section, flag in REQUIRED}
    mistakes, unread = Mistakes(), set[str]()
    known = [*KEYS, HOST_NAT_FLAG.tables, *TABLE_FLAGS]
    for section, content in document.items():
        if section == HOST_NAT_FLAG.tables:
            key = HOST_NAT_FLAG.key
            before = len(mistakes.messages)
            texts[key] = texts_of_tables(content, f"{source}: {section}", mistakes)
            names[key] = f"{source}: {section}"
            unread.update([key] if len(mistakes.messages) > before else [])
            continue
        with mistakes.noted():
            if section not in known:
                raise UsageError(f"{source}: {_unknown_section(section, known)}")
            if not isinstance(content, dict):
                raise UsageError(f"{source}: {section}: must be a section, [{section}]")
        if section not in known or not isinstance(content, dict):
            unread.update(key for keys in KEYS.values() for key in keys if key == section)
            continue
        if section in TABLE_FLAGS:
            flag = TABLE_FLAGS[section]
            texts[flag.key] = _assignments(source, section, content, flag, mistakes)
            names[flag.key] = f"{source}: {section}"
            continue
        for key, value in content.items():
            name = f"{source}: {section}.{key}"
            if key not in KEYS[section]:
                mistakes.add(f"{name}: {_unknown_key(section, key)}")
                unread.update(nearest(key, [one for keys in KEYS.values() for one in keys]))
                continue
            flag = KEYS[section][key]
            unread.add(key)
            with mistakes.noted():
                texts[key] = text_of(name, flag.kind, value, flag.unit)
                names[key] = name
                unread.discard(key)
    return Configuration(texts, names, Unreadable(mistakes.messages, frozenset(unread)))


def _missing(source: str, document: Mapping[str, Any], section: str, flag: Flag) -> str:
    """What a key that must be there is called where it is not."""
    return f"{source}: {'' if document else 'the file is empty; '}{section}.{flag.key}"


def _assignments(
    source: str, section: str, content: Mapping[str, Any], flag: Flag, mistakes: Mistakes
) -> list[str]:
    """Those that are right, as texts."""
    known = table_names(TABLES[flag.key])
    right = []
    for key, value in content.items():
        name = f"{source}: {section}.{key}"
        if key not in known:
            hint = near(key, known) or f"; there are {', '.join(known)}"
            mistakes.add(f"{name}: no such key{hint}")
            continue
        with mistakes.noted():
            right.append(f"{key}={text_of(name, 'number', value, flag.unit)}")
    return right


def _unknown_section(section: str, known: list[str]) -> str:
    """A flag's name as a section is most likely a key that lacks one."""
    for owner, keys in KEYS.items():
        if section in keys:
            return f"{section}: is a key of [{owner}]; put it there"
    return (
        f"[{section}]: no such section{near(section, known) or '; there are ' + ', '.join(known)}"
    )


def _unknown_key(section: str, key: str) -> str:
    owners = [owner for owner, keys in KEYS.items() if key in keys]
    if owners:
        return f"is a key of [{owners[0]}]; put it there"
    known = list(KEYS[section])
    return f"no such key{near(key, known) or '; there are ' + ', '.join(known)}"
