"""What is wrong with a file that is no TOML, line by line, in words that say what would be right.

tomllib tells of the first mistake, and only where it is.  Most are values without quotes, and those
can all be found.
"""

import re
from collections.abc import Iterator

from .toml_values import seconds_of

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_COMMENT = re.compile(r"#.*")
_ASSIGNMENT = re.compile(r"\s*(?P<key>[\w-]+)\s*=\s*(?P<value>.*\S)\s*")
_WORD = re.compile(r"[^\s,\[\]{}\"']+")
# Numbers, booleans, and dates and times of TOML 1.0.
_LITERAL = re.compile(
    r"true|false|[+-]?(?:\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?|0x[\da-fA-F_]+|0o[0-7_]+|0b[01_]+"
    r"|inf|nan)|\d{4}-\d\d-\d\d.*|\d\d:\d\d:\d\d.*"
)
_LINE = re.compile(r"at line (\d+)")


def syntax_errors(text: str, error: ValueError) -> list[str]:
    """One message for each mistake that can be named, or else what `error` says of the first."""
    lines = text.splitlines()
    found = [
        f"line {number}: {message}"
        for number, line in enumerate(lines, 1)
        for message in _without_quotes(line)
    ]
    return found or [_first(lines, error)]


def _without_quotes(line: str) -> Iterator[str]:
    """Of a line `key = value`."""
    bare = _COMMENT.sub(
        "", _QUOTED.sub(lambda quoted: '"' + " " * (len(quoted[0]) - 2) + '"', line)
    )
    assignment = _ASSIGNMENT.fullmatch(bare)
    if assignment is None or "{" in assignment["value"]:
        return
    words = [word for word in _WORD.findall(assignment["value"]) if not _LITERAL.fullmatch(word)]
    if not words:
        return
    seconds = seconds_of(words[0])
    if seconds is not None and assignment["value"] == words[0]:
        key = assignment["key"]
        yield f"{words[0]} has a unit; right is a number of seconds: {key} = {seconds}"
        return
    start = assignment.start("value")
    value = line[start : start + len(assignment["value"])]
    yield f"{words[0]} needs quotes: {assignment['key']} = {_quote(value, words)}"


def _quote(value: str, words: list[str]) -> str:
    """The value as it should be, where nothing of it was in quotes; else its first word."""
    if '"' in value or "'" in value:
        return f'"{words[0]}"'
    return _WORD.sub(lambda word: word[0] if word[0] not in words else f'"{word[0]}"', value)


def _first(lines: list[str], error: ValueError) -> str:
    """What tomllib says, with the line it says it of."""
    at = _LINE.search(str(error))
    number = int(at[1]) if at else 0
    shown = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return f"not TOML: {error}{f': {shown}' if shown else ''}"
