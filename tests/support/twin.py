"""Read a .pxd as text: its enumerations, struct fields and #defines, to hold against the .py."""

import re
from pathlib import Path

import ratsnake

PACKAGE = Path(ratsnake.__file__).parent
ENUM = re.compile(r"^cdef enum:\n((?:[ \t]+.*\n|\n)+)", re.MULTILINE)
MEMBER = re.compile(r"^\s+(\w+) = (\w+)\s*$", re.MULTILINE)
STRUCT = re.compile(r"^( *)ctypedef struct (\w+)(?: \"\w+\")?:\n((?:\1    .*\n)+)", re.MULTILINE)
DEFINE = re.compile(r"#define RATSNAKE_(\w+) (0x[0-9A-F]+)U?(?:LL)?$", re.MULTILINE)


def source(name: str) -> str:
    """The text of a header, such as "wire.tcp"."""
    return PACKAGE.joinpath(*name.split(".")).with_suffix(".pxd").read_text() + "\n"


def numbers(name: str) -> dict[str, int]:
    """Every constant the header defines."""
    text = source(name)
    found = {k: int(v, 0) for k, v in DEFINE.findall(text)}
    for body in ENUM.findall(text):
        found.update({k: int(v, 0) for k, v in MEMBER.findall(body)})
    return found


def structs(name: str) -> dict[str, dict[str, str]]:
    """Of every struct in the header: its fields in order, each with its type."""
    found: dict[str, dict[str, str]] = {}
    for _, struct, body in STRUCT.findall(source(name)):
        fields: dict[str, str] = {}
        for line in body.splitlines():
            kind, members = line.split(maxsplit=1)
            fields.update({member.strip(): kind for member in members.split(",")})
        found[struct] = fields
    return found
