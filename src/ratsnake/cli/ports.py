"""`ratsnake ports`: which ports a PSID has."""

import argparse
import json
from collections.abc import Iterator

from ..daemon.user_errors import UsageError
from ..portset import PortSet
from ..portset.notation import near, read_number
from ..portset.providers import PROVIDERS
from ..portset.psid_format import PsidFormat
from ..portset.specification import MAP_E, read_psid
from . import port_set_output

INDENT = 2

USAGE = f"""\
ratsnake ports {{{",".join(PROVIDERS)}}} PSID [--json | --nft]
       ratsnake ports {MAP_E} --offset A --psid-len K --psid N [--json | --nft]\
"""

#: What `map-e` is told by flags, because no table knows it; by the parser's names for them.
FORMAT_FLAGS = {"offset": "--offset A", "psid_len": "--psid-len K", "psid": "--psid N"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = USAGE
    parser.add_argument(
        "kind", metavar="PROVIDER", help=f"{', '.join(PROVIDERS)}, or {MAP_E} for any other line"
    )
    parser.add_argument(
        "number", metavar="PSID", nargs="?", help="the PSID of the line, such as 33 or 0x21"
    )
    parser.add_argument(
        "--offset", metavar="A", help=f"{MAP_E}: the number of bits before the PSID in a port"
    )
    parser.add_argument("--psid-len", metavar="K", help=f"{MAP_E}: the number of bits of the PSID")
    parser.add_argument(
        "--psid", metavar="N", help=f"{MAP_E}: the PSID, decimal or hexadecimal with 0x"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, for programs")
    form.add_argument("--nft", action="store_true", help="print an nftables set, for `nft -f`")


def run(arguments: argparse.Namespace) -> int:
    try:
        psid_format, psid = _asked(arguments)
        ports = psid_format.ports(psid)
    except ValueError as error:
        raise UsageError(f"{arguments.kind}: {error}") from None
    title = f"{arguments.kind} PSID {psid} (0x{psid:x})"
    if arguments.json:
        answer = {
            "kind": arguments.kind,
            "offset": psid_format.offset,
            "psid_len": psid_format.psid_len,
            "psid": psid,
            **port_set_output.fields(ports),
        }
        print(json.dumps(answer))
        return 0
    for line in port_set_output.nft_set(ports, title) if arguments.nft else _lines(title, ports):
        print(line)
    return 0


def _lines(title: str, ports: PortSet) -> Iterator[str]:
    yield f"{title}: {port_set_output.amount(ports)}"
    yield ""
    yield from port_set_output.table(ports, INDENT)


def _asked(arguments: argparse.Namespace) -> tuple[PsidFormat, int]:
    """The psid_format and PSID the arguments say, whichever of the two ways they do."""
    given = [flag for name, flag in FORMAT_FLAGS.items() if getattr(arguments, name) is not None]
    if arguments.kind == MAP_E:
        missing = [flag for flag in FORMAT_FLAGS.values() if flag not in given]
        if arguments.number is not None:
            raise ValueError(f"{arguments.number} is one too many; it takes {_all_flags()}")
        if missing:
            raise ValueError(f"{missing[0]} is missing; it takes {_all_flags()}")
        psid_format = PsidFormat(read_number(arguments.offset), read_number(arguments.psid_len))
        return psid_format, read_psid(arguments.psid, psid_format)
    if arguments.kind not in PROVIDERS:
        known = (*PROVIDERS, MAP_E)
        listed = f"known are {', '.join(known)}"
        raise ValueError(f"no such provider; {near(arguments.kind, known, listed)}")
    if given:
        raise ValueError(f"{given[0]} is for {MAP_E} only; right is a PSID")
    if arguments.number is None:
        raise ValueError("your line's PSID is missing")
    psid_format = PROVIDERS[arguments.kind].psid_format
    return psid_format, read_psid(arguments.number, psid_format)


def _all_flags() -> str:
    return ", ".join(FORMAT_FLAGS.values())
