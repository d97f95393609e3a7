"""A value of the configuration file as the text of its flag; of another type, what is right."""

import json
import re
from typing import Any

from ..user_errors import UsageError

LARGEST_INTEGER = (1 << 63) - 1  # of TOML 1.0; tomllib takes any
WANTED = {
    "text": "a text in quotes",
    "number": "a whole number",
    "switch": "true or false",
    "texts": "a list of texts",
    "text or texts": "a text in quotes or a list of texts",
}
# What a message shows where a key is missing, or has a value of another type.
EXAMPLES = {
    "external": "203.0.113.1",
    "internal": "192.168.1.0/24",
    "internal-except": "192.168.100.1/32",
    "ports": "5000-5999",
    "nat": "full-cone",
    "host-nat": "192.168.1.50=full-cone",
    "forward": "tcp:8080=192.168.1.10:80",
    "one-to-one": "203.0.113.5=192.168.1.5",
    "no-nat": "198.51.100.0/24",
    "device": "ratsnake",
    "lan": "br0",
    "wan": "wan0",
    "control-mode": "0660",
    "sink": "journald",
    "kinds": "mapping",
    "listen": "9100",
    "file": "/var/lib/ratsnake/state",
}
SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
SWITCHES = {"yes": "true", "on": "true", "true": "true"} | dict.fromkeys(
    ("no", "off", "false"), "false"
)
_DURATION = re.compile(r"(\d{1,9})\s*([a-z]+)")


def text_of(name: str, kind: str, value: Any, unit: str = "") -> str | list[str]:
    """The flag's text; raises UsageError where TOML's type is not the one that `kind` needs.

    `name` is what the key is called in a message, "FILE: SECTION.KEY"; `unit` what a number counts.
    """
    if kind == "switch" and isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > LARGEST_INTEGER:
            raise UsageError(f"{name}: the number is far too large")
        return str(value)
    if kind == "text" and isinstance(value, str):
        return value
    if kind == "text or texts" and isinstance(value, str):
        return [value]
    if "texts" in kind and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(value)
    wanted = f"{WANTED[kind]}{f' of {unit}' if unit else ''}"
    key = name.rpartition(".")[2]
    right = _right(kind, value, unit) or _example(kind, key)
    raise UsageError(
        f"{name}: {_shown(value)}: must be {wanted}{f', such as {key} = {right}' if right else ''}"
    )


def seconds_of(text: str) -> int | None:
    """Of a duration with a unit, such as 5m; None for any other text."""
    duration = _DURATION.fullmatch(text.strip().lower())
    if duration is None or duration[2] not in SECONDS:
        return None
    return int(duration[1]) * SECONDS[duration[2]]


def _right(kind: str, value: Any, unit: str) -> str:
    """What was most likely meant, as TOML; "" where nobody knows."""
    if kind == "number" and isinstance(value, str):
        seconds = seconds_of(value) if unit == "seconds" else None
        return str(seconds) if seconds is not None else value if value.isdecimal() else ""
    if kind == "switch" and isinstance(value, str):
        return SWITCHES.get(value.lower(), "")
    if "texts" in kind and isinstance(value, str) and value:
        return json.dumps(value.replace(",", " ").split(), ensure_ascii=False)
    if kind == "text" and isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return json.dumps(value[0], ensure_ascii=False)
    return ""


def _example(kind: str, key: str) -> str:
    if key not in EXAMPLES or "text" not in kind:
        return ""
    return json.dumps([EXAMPLES[key]] if "texts" in kind else EXAMPLES[key])


def _shown(value: Any) -> str:
    """As TOML has it."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # a number in it has more digits than Python shows
        return "a number that is far too large"
