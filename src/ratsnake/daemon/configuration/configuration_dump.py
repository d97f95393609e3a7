"""The settings in force, as a configuration file that says all of them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields

from ...nat.settings.setting_types import Limits, Timeouts
from .configuration_file import KEYS, TABLE_FLAGS, Configuration
from .flag_table import EXTERNAL_FLAG, HOST_NAT_FLAG
from .host_nat_types import table_of
from .json_schema import default_text
from .option_parsing import RunOptions
from .value_parsers import table_names


def effective(
    configuration: Configuration, options: RunOptions, addresses: Iterable[str] = ()
) -> str:
    """TOML, in which what the file leaves to the default is marked so.

    `addresses` are remarks about the outside addresses.
    """
    return "\n".join(_lines(configuration, options, addresses)) + "\n"


def _lines(
    configuration: Configuration, options: RunOptions, addresses: Iterable[str]
) -> Iterator[str]:
    derived = {"control": options.socket_path, **options.nat.types}
    for number, (section, flags) in enumerate(KEYS.items()):
        yield from ([] if number == 0 else [""])
        yield f"[{section}]"
        for flag in flags.values():
            if flag is EXTERNAL_FLAG:
                yield from (f"# {remark}" for remark in addresses)
            given = configuration.texts.get(flag.key)
            if given is not None:
                yield f"{flag.key} = {toml(given, flag.kind)}"
            elif flag.key in derived:
                yield f"{flag.key} = {json.dumps(derived[flag.key])}  # default"
            elif flag.default is not None:
                yield f"{flag.key} = {default_text(flag)}  # default"
            else:
                yield f"# {flag.key}: not set"
    for text in configuration.texts.get(HOST_NAT_FLAG.key, []):
        yield ""
        yield f"[[{HOST_NAT_FLAG.tables}]]"
        for key, value in table_of(text).items():
            yield f"{key} = {json.dumps(value)}"
    tables: dict[str, Timeouts | Limits] = {
        "timeout": options.nat.settings.timeouts,
        "limit": options.nat.settings.limits,
    }
    for section, flag in TABLE_FLAGS.items():
        yield ""
        yield f"[{section}]"
        table = tables[flag.key]
        given_names = {text.partition("=")[0] for text in configuration.texts.get(flag.key, [])}
        for name, field in zip(table_names(type(table)), fields(table), strict=True):
            mark = "" if name in given_names else "  # default"
            yield f"{name} = {getattr(table, field.name)}{mark}"


def toml(given: str | list[str], kind: str) -> str:
    """A flag's text as the file has it: a JSON text is a TOML one, and so is a list of them."""
    if kind == "number":
        return str(given)
    if kind == "switch":
        return "true" if given == "yes" else "false"
    return json.dumps(given, ensure_ascii=False)
