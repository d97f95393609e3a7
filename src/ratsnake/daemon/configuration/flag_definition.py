"""A flag: a name, what it accepts, and what it is when not given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..user_errors import UsageError
from .value_parsers import switch, whole_number

KINDS: dict[Callable[[str], Any], str] = {switch: "switch", whole_number: "number"}


@dataclass(frozen=True)
class Flag:
    """One flag: its key (`--KEY`), what it accepts, and what it is when not given.

    `parse` raises ValueError saying what would be right. `default` is text a user could have
    written (a tuple of texts when the flag repeats); None where there is none. A `switch` takes no
    value on the command line: to give it is to say yes.

    `single`: where it repeats, the file may have one text in place of a list.

    `flag` is what it is called on the command line where its key alone would say too little.

    `table` is the name of the configuration file's table whose keys are this flag's names, for a
    flag that takes NAME=NUMBER; `tables` that of an array of tables, each of which makes one text
    (host_nat_types.py). `unit` and `rfc` are for the documentation.

    `restart`: a running NAT cannot be told another value.
    """

    key: str
    metavar: str
    parse: Callable[[str], Any]
    help: str
    default: str | tuple[str, ...] | None = None
    required: bool = False
    repeat: bool = False
    single: bool = False
    switch: bool = False
    flag: str = ""
    table: str = ""
    tables: str = ""
    unit: str = ""
    rfc: str = ""
    restart: bool = False

    @property
    def name(self) -> str:
        return f"--{self.flag or self.key}"

    @property
    def kind(self) -> str:
        """What a configuration file has for it: "text", "number", "switch", "texts",
        "text or texts" or "table"."""
        if self.table:
            return "table"
        if self.repeat:
            return "text or texts" if self.single else "texts"
        return KINDS.get(self.parse, "text")

    def read(self, text: str, name: str | None = None) -> Any:
        """The value of `text`; raises UsageError, which calls the flag by `name`."""
        try:
            return self.parse(text)
        except ValueError as error:
            raise UsageError(f"{name or self.name} {text}: {error}") from None
