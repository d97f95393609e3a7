"""Adding a forward to a configuration file, in which all else stays as it was, to the octet.

The file's text is changed at one place, and what comes of it is read: unless that says the same as
before, and the forward, nothing is written.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..user_errors import RunError
from .flag_table import FORWARD_FLAG

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SECTION, KEY = "rules", FORWARD_FLAG.key
BYTE_ORDER_MARK = "\ufeff"
_HEADER = re.compile(rf"^[ \t]*\[[ \t]*{SECTION}[ \t]*\][ \t]*(?:#[^\r\n]*)?(?=\r?$)", re.M)
_NEXT_HEADER = re.compile(r"^[ \t]*\[", re.M)
_LIST = re.compile(rf"^[ \t]*{KEY}[ \t]*=[ \t]*\[", re.M)
# What the brackets and commas of a list may hide in: strings and comments.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\],]', re.S
)


def save_forward(path: Path, forward: str) -> None:
    """Write the file anew, with the forward; raises RunError with nothing written, or OSError."""
    path = Path(os.path.realpath(path))
    try:
        before = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: not TOML: {error}") from None
    after = with_forward(before, forward)
    if after is None:
        raise RunError(f'{path}: cannot be changed; add "{forward}" to {KEY} in [{SECTION}] there')
    _replace(path, after.encode("utf-8"))


def with_forward(text: str, forward: str) -> str | None:
    """The file's text with the forward, the last of its list; None where there is no place for it.

    A text that has it already stays as it is.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    wanted = _read(text)
    if wanted is None:
        return None
    rules = wanted.setdefault(SECTION, {})
    if not isinstance(rules, dict) or not isinstance(rules.setdefault(KEY, []), list):
        return None
    if forward in rules[KEY]:
        return mark + text
    rules[KEY].append(forward)
    for made in _candidates(text, json.dumps(forward, ensure_ascii=False)):
        if _read(made) == wanted:
            return mark + made
    return None


def _candidates(text: str, value: str) -> Iterator[str]:
    """What may be right: the list that is there made longer, or a list, or a section of its own."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    if header := _HEADER.search(text):
        following = _NEXT_HEADER.search(text, header.end())
        found = _LIST.search(text, header.end())
        if found and not (following and following.start() < found.start()):
            yield _longer(text, found.end(), value)
        start = header.end()
        yield f"{text[:start]}{line_end}{KEY} = [{value}]{text[start:]}"
    gap = "" if not text else line_end if text.endswith("\n") else line_end * 2
    yield f"{text}{gap}[{SECTION}]{line_end}{KEY} = [{value}]{line_end}"


def _longer(text: str, start: int, value: str) -> str:
    """With the value behind the last one of the list whose bracket ends at `start`."""
    last, comma = start, True  # where the last value ends, or its comma; an empty list needs none
    first = None  # where the first value's line begins
    depth = 1
    for token in _TOKEN.finditer(text, start):
        kind = token[0][0]
        depth += (kind == "[") - (kind == "]")
        if depth == 0:
            break
        if kind == "#":
            continue
        if first is None and kind in "\"'":
            first = token.start()
        last, comma = token.end(), kind == ","
    indent = ""
    if first is not None:
        line = text[text.rfind("\n", 0, first) + 1 : first]
        if not line.strip():  # each value has a line of its own
            indent = ("\r\n" if "\r\n" in text else "\n") + line
    if indent:
        return f"{text[:last]}{'' if comma else ','}{_rest_of_line(text, last, indent, value)}"
    between = "" if last == start else " " if comma else ", "
    return f"{text[:last]}{between}{value}{text[last:]}"


def _rest_of_line(text: str, at: int, indent: str, value: str) -> str:
    """What follows the last value: its comment stays on its line, and the new one comes below."""
    comment = re.compile(r"[ \t]*(?:#[^\r\n]*)?").match(text, at)
    end = comment.end() if comment else at
    return f"{text[at:end]}{indent}{value},{text[end:]}"


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _replace(path: Path, octets: bytes) -> None:
    """The whole file or none of it, with the owner and the mode it had; raises OSError."""
    status = path.stat()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(fresh, "xb") as file:
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()
