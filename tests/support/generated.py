"""The C that Cython made of the compiled modules, read as text."""

import re
from collections.abc import Iterator
from pathlib import Path

from . import twin

GENERATED = twin.PACKAGE.parents[1] / "build" / "cython" / "src" / "ratsnake"
DECLARED = re.compile(
    r"^( *)c(?:p?)def .*?\b(\w+)\([^)]*\).* nogil\b|^cdef class (\w+)", re.MULTILINE
)
BODY = re.compile(
    r"^static [^;{}()]*?\b(__pyx_f_\w+)\([^;{}]*\) \{\n(.*?)^\}$", re.MULTILINE | re.DOTALL
)
# All of Python's and Cython's names but those of integer types.
PYTHON = re.compile(
    r"\b(?!Py_ssize_t\b|Py_hash_t\b)"
    r"(?:Py[A-Z_]|_Py|__Pyx|__pyx_(?:n_|kp|mstate|builtin|gilstate|empty))\w*"
)


def declared(header: Path) -> Iterator[str]:
    """The functions that a .pxd declares to need no GIL, by the names they have in C."""
    module = ("ratsnake", *header.relative_to(twin.PACKAGE).with_suffix("").parts)
    prefix = "__pyx_f_" + "".join(f"{len(part)}{part}_" for part in module)
    owner = ""
    for indent, function, new_owner in DECLARED.findall(header.read_text()):
        if new_owner:
            owner = f"{len(new_owner)}{new_owner}_"
        else:
            yield prefix + (owner if indent else "") + function


def bodies() -> Iterator[tuple[str, str]]:
    """Every function Cython has made of one declared in C's way, with its body."""
    for source in sorted(GENERATED.rglob("*.c")):
        yield from BODY.findall(source.read_text())
