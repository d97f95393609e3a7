"""The configuration file described from the flags' tables: as a JSON Schema, and key by key.

`ratsnake check --schema` prints the schema; docs/ratsnake.schema.json and docs/configuration.md are
made of both (tools/document.py), and a test holds them to the tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from ...nat.rules.behaviour import PRESETS, parse_behaviour
from .configuration_file import KEYS, TABLE_FLAGS, TABLES
from .flag_definition import Flag
from .flag_table import HOST_NAT_FLAG
from .host_nat_types import GENERAL, PREFIX, TYPE_KEYS
from .value_parsers import OneOf, table_names

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "ratsnake configuration"
TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "integer", "minimum": 0},
    "switch": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "text or texts": {"type": ["string", "array"], "items": {"type": "string"}},
}
WORDS = {
    "text": "text",
    "number": "whole number",
    "switch": "true or false",
    "texts": "list of texts",
    "text or texts": "text or list of texts",
}

# What the names of a table mean, and where they come from.
TIMEOUT_MEANINGS = {
    "tcp-established": ("an established connection (TCP, DCCP, SCTP)", "RFC 5382 REQ-5"),
    "tcp-opening": ("a connection that is not yet established", "RFC 7857 section 2.2"),
    "tcp-closing": ("a connection that both sides closed or one reset", "RFC 7857 2.2"),
    "udp": ("a UDP or UDP-Lite session", "RFC 4787 REQ-5"),
    "icmp": ("an ICMP query session", "RFC 5508 REQ-2"),
    "other": ("a session of a protocol without ports", ""),
    "rest": (
        "how long a port stays unused before it is assigned again; 0: no wait",
        "RFC 6888 REQ-8",
    ),
    "unanswered": (
        "when there is no room, how old a flow must be to make room for others, if its host has not"
        " had any answer; 0: flows never make room",
        "",
    ),
    "fragments": ("how long an incomplete datagram is kept", "RFC 791"),
    "pairing": (
        "how long hosts wait for their external address after its interface has lost it, if there"
        " are others; after that, their new flows get another one",
        "RFC 4787 REQ-2",
    ),
}
LIMIT_MEANINGS = {
    "mappings": ("mappings in all", "RFC 6888 REQ-5"),
    "sessions": ("sessions in all", "RFC 6888 REQ-5"),
    "inbound-sessions": ("sessions opened from outside", ""),
    "unanswered-sessions": (
        "sessions opened from outside on one mapping that the internal host has not answered; at"
        " most 1024",
        "",
    ),
    "host-mappings": ("mappings of one internal host; 0: no limit", "RFC 6888 REQ-4"),
    "host-sessions": ("sessions of one internal host; 0: no limit", "RFC 6888 REQ-4"),
    "host-rate": ("sessions one internal host may open a second; 0: no limit", "RFC 6888 REQ-4"),
    "host-share": (
        "the share, in percent, of a protocol's ports and of all sessions that one internal host"
        " may have; 100: no limit",
        "RFC 6888 REQ-4",
    ),
    "fragments": ("incomplete datagrams kept at once", "RFC 4787 REQ-14"),
    "icmp-errors": ("ICMP errors that the NAT itself sends a second", "RFC 1812 4.3.2.8"),
}
RESTART = "needs a restart"
MEANINGS = {"timeout": TIMEOUT_MEANINGS, "limit": LIMIT_MEANINGS}


@dataclass(frozen=True)
class Key:
    """One key of the file; `default` is text as the file would have it, or "" where it has none.

    `section` is in brackets where there may be several of it.
    """

    section: str
    name: str
    type: str
    unit: str
    default: str
    meaning: str
    rfc: str
    restart: bool = False

    @property
    def note(self) -> str:
        """What else is to be said of it, "" where nothing is."""
        return RESTART if self.restart else ""


def keys() -> Iterator[Key]:
    """Every key, section by section."""
    for section, flags in KEYS.items():
        for flag in flags.values():
            if flag.kind != "table":
                yield Key(
                    section,
                    flag.key,
                    WORDS[flag.kind],
                    flag.unit,
                    default_text(flag),
                    _without_default(flag.help),
                    flag.rfc,
                    flag.restart,
                )
    for name, meaning in _host_keys().items():
        rfc = "" if name == PREFIX else HOST_NAT_FLAG.rfc
        yield Key(f"[{HOST_NAT_FLAG.tables}]", name, WORDS["text"], "", "", meaning, rfc)
    for section, flag in TABLE_FLAGS.items():
        owner = TABLES[flag.key]
        for name, field in zip(table_names(owner), fields(owner), strict=True):
            meaning, rfc = MEANINGS[flag.key][name]
            yield Key(section, name, WORDS["number"], flag.unit, str(field.default), meaning, rfc)


def schema() -> dict[str, Any]:
    """A JSON Schema of the file, for editors."""
    sections = {
        section: _section(
            {flag.key: _property(flag) for flag in flags.values() if flag.kind != "table"}
        )
        for section, flags in KEYS.items()
    }
    sections[HOST_NAT_FLAG.tables] = {"type": "array", "items": _hosts()}
    for section, flag in TABLE_FLAGS.items():
        owner = TABLES[flag.key]
        sections[section] = _section(
            {
                name: {
                    "type": "integer",
                    "minimum": 0,
                    "default": field.default,
                    "description": MEANINGS[flag.key][name][0],
                }
                for name, field in zip(table_names(owner), fields(owner), strict=True)
            }
        )
    return {"$schema": DIALECT, "title": TITLE, **_section(sections)}


def _host_keys() -> dict[str, str]:
    """The keys of [[hosts]], and what each means."""
    meanings = {PREFIX: "the internal host or prefix that has these types; the longest prefix wins"}
    for key in TYPE_KEYS:
        meaning = _without_default(KEYS["types"][key].help)
        rest = "that of the next shorter prefix, or of `[types]`"
        default = rest if key in (GENERAL, "other") else f"its `nat`, else {rest}"
        meanings[key] = f"{meaning}; default: {default}"
    return meanings


def _hosts() -> dict[str, Any]:
    properties: dict[str, Any] = {
        key: {**TYPES["text"], "description": meaning} for key, meaning in _host_keys().items()
    }
    for key in TYPE_KEYS:
        properties[key]["examples"] = list(PRESETS)
    return {**_section(properties), "required": [PREFIX], "minProperties": 2}


def default_text(flag: Flag) -> str:
    """The default as the file would have it."""
    if flag.default is None:
        return ""
    if isinstance(flag.default, tuple):
        return "[" + ", ".join(f'"{one}"' for one in flag.default) + "]"
    if flag.kind == "switch":
        return "true" if flag.default == "yes" else "false"
    return flag.default if flag.kind == "number" else f'"{flag.default}"'


def _section(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(flag: Flag) -> dict[str, Any]:
    meaning = _without_default(flag.help)
    if flag.restart:
        meaning += f"; {RESTART}"
    made = {**TYPES[flag.kind], "description": meaning}
    if isinstance(flag.parse, OneOf):
        made["enum"] = list(flag.parse.known)
    if flag.parse is parse_behaviour:
        made["examples"] = list(PRESETS)
    return made


def _without_default(help_text: str) -> str:
    """A flag's help without what the other columns say."""
    return help_text.split(" (default:")[0].removesuffix("; may repeat")
