"""NAT types of some hosts, as a flag's text and as the tables [[hosts]] of the configuration file.

    PREFIX=TYPE                    192.168.1.50=full-cone
    PREFIX=KEY:TYPE[,KEY:TYPE...]  192.168.1.0/28=udp:full-cone,tcp:symmetric

KEY is one of `[types]`; a TYPE without one is that of `nat`.
"""

from collections.abc import Mapping
from typing import Any

from ...nat.rules.behaviour import Behaviour, parse_behaviour
from ...nat.settings.host_types import HostTypes
from ..user_errors import Mistakes, UsageError, near
from .toml_values import text_of
from .value_parsers import prefix

SECTION, PREFIX, GENERAL = "hosts", "prefix", "nat"
# What `nat` is the type of, and what has a key only.
WITH_PORTS = ("tcp", "udp", "icmp", "udplite", "dccp", "sctp")
TYPE_KEYS = (GENERAL, *WITH_PORTS, "other")
EXAMPLE = "192.168.1.50=full-cone"
RIGHT = f"must be PREFIX=TYPE, such as {EXAMPLE}, or PREFIX=KEY:TYPE,KEY:TYPE"


def parse_host_types(text: str) -> HostTypes:
    """Raises ValueError saying what would be right."""
    where, equals, types = text.partition("=")
    if not equals or not types:
        raise ValueError(RIGHT)
    given: dict[str, Behaviour] = {}
    for one in types.split(","):
        key, colon, name = one.rpartition(":")
        key = key if colon else GENERAL
        if key not in TYPE_KEYS:
            raise ValueError(
                f"no {key!r}{near(key, TYPE_KEYS) or '; there are ' + ', '.join(TYPE_KEYS)}"
            )
        if key in given:
            raise ValueError(f"has two types for {key}; right is one")
        try:
            given[key] = parse_behaviour(name)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    try:
        return _host_types(where, given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _host_types(where: str, given: Mapping[str, Behaviour]) -> HostTypes:
    general = given.get(GENERAL)
    types = {key: given.get(key, general) for key in WITH_PORTS}
    return HostTypes(prefix(where), **types, other=given.get("other"))


def texts_of_tables(tables: Any, name: str, mistakes: Mistakes) -> list[str]:
    """What the tables that are right say, as the flag would; what is wrong is noted.

    `name` is what they are called in a message, in which they are counted from 1.
    """
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        mistakes.add(
            f"{name}: must be tables, each headed [[{SECTION}]], with a {PREFIX} and its types"
        )
        return []
    texts = []
    for number, table in enumerate(tables, 1):
        with mistakes.noted():
            texts.append(_text(table, f"{name}[{number}]"))
    return texts


def _text(table: Mapping[str, Any], name: str) -> str:
    """Raises UsageError, or UsageErrors for several mistakes."""
    mistakes = Mistakes()
    for key, value in table.items():
        with mistakes.noted():
            _check(f"{name}.{key}", key, value)
    types = [f"{key}:{table[key]}" for key in TYPE_KEYS if key in table]
    if PREFIX not in table:
        mistakes.add(
            f"{name}: has no {PREFIX}; give it an internal host or prefix, such as {PREFIX} ="
            ' "192.168.1.50/32"'
        )
    elif not types and table.keys() <= {PREFIX}:
        mistakes.add(
            f'{name}: has no type for {table[PREFIX]}; give it one, such as {GENERAL} = "full-cone"'
        )
    mistakes.raise_if_any()
    return f"{table[PREFIX]}={','.join(types)}"


def _check(name: str, key: str, value: Any) -> None:
    known = (PREFIX, *TYPE_KEYS)
    if key not in known:
        raise UsageError(
            f"{name}: no such key{near(key, known) or '; there are ' + ', '.join(known)}"
        )
    text = text_of(name, "text", value)
    try:
        prefix(str(text)) if key == PREFIX else parse_behaviour(str(text))
    except ValueError as error:
        raise UsageError(f"{name} {text}: {error}") from None


def table_of(text: str) -> dict[str, str]:
    """The keys and values of the table that says what a flag's text does, which is right."""
    where, _, types = text.partition("=")
    table = {PREFIX: where}
    for one in types.split(","):
        key, colon, name = one.rpartition(":")
        table[key if colon else GENERAL] = name
    return table
