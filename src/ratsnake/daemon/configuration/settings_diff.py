"""What differs between two times that a run was told its settings, key by key."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .configuration_file import KEYS, TABLE_FLAGS, TABLES
from .flag_definition import Flag
from .flag_table import HOST_NAT_FLAG
from .option_parsing import Texts
from .value_parsers import table_names

# As the file has it; None where it says nothing and there is no default.
Value: TypeAlias = str | int | bool | list[str] | None
NUMBER, SWITCH = "number", "switch"


@dataclass(frozen=True)
class Difference:
    """A key as "section.name", what it was, and what it is to be.  `restart`: that is refused."""

    key: str
    old: Value
    new: Value
    restart: bool = False

    def __str__(self) -> str:
        if isinstance(self.old, list) and isinstance(self.new, list):
            added = [one for one in self.new if one not in self.old]
            gone = [one for one in self.old if one not in self.new]
            if added or gone:
                parts = [f"without {', '.join(gone)}"] * bool(gone)
                parts += [f"with {', '.join(added)}"] * bool(added)
                return f"{self.key}: now {' and '.join(parts)}"
        return f"{self.key}: {_shown(self.old)} -> {_shown(self.new)}"


def differences(before: Texts, after: Texts) -> tuple[Difference, ...]:
    """The keys whose values differ, in the order of the documentation; raises UsageError.

    What is written in another way and means the same does not differ.
    """
    return (*_of_keys(before, after), *_of_hosts(before, after), *_of_tables(before, after))


def _of_keys(before: Texts, after: Texts) -> Iterator[Difference]:
    for section, flags in KEYS.items():
        for flag in flags.values():
            if flag.table:
                continue
            old, new = _text(flag, before), _text(flag, after)
            if _meaning(flag, old) != _meaning(flag, new):
                yield Difference(
                    f"{section}.{flag.key}", _value(flag, old), _value(flag, new), flag.restart
                )


def _of_hosts(before: Texts, after: Texts) -> Iterator[Difference]:
    old, new = _text(HOST_NAT_FLAG, before), _text(HOST_NAT_FLAG, after)
    if set(_meaning(HOST_NAT_FLAG, old)) != set(_meaning(HOST_NAT_FLAG, new)):
        yield Difference(
            HOST_NAT_FLAG.tables, _value(HOST_NAT_FLAG, old), _value(HOST_NAT_FLAG, new)
        )


def _of_tables(before: Texts, after: Texts) -> Iterator[Difference]:
    for section, flag in TABLE_FLAGS.items():
        owner = TABLES[flag.key]
        old, new = (owner(**dict(_pairs(flag, texts))) for texts in (before, after))
        for name in table_names(owner):
            was, becomes = (getattr(one, name.replace("-", "_")) for one in (old, new))
            if was != becomes:
                yield Difference(f"{section}.{name}", was, becomes)


def _text(flag: Flag, texts: Texts) -> str | Sequence[str] | None:
    given = texts.get(flag.key)
    return flag.default if given is None else given


def _meaning(flag: Flag, text: str | Sequence[str] | None) -> Any:
    if text is None or isinstance(text, str):
        return None if text is None else flag.read(text)
    return [flag.read(one) for one in text]


def _value(flag: Flag, text: str | Sequence[str] | None) -> Value:
    if text is None or isinstance(text, str):
        if text is None or flag.kind not in (NUMBER, SWITCH):
            return text
        return text == "yes" if flag.kind == SWITCH else int(text)
    return list(text)


def _pairs(flag: Flag, texts: Texts) -> Iterable[tuple[str, int]]:
    return (flag.read(one) for one in texts.get(flag.key) or ())


def _shown(value: Value) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
