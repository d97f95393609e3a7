"""Write the manual pages, from the same tables as --help and docs/configuration.md.

Usage: manual.py FOLDER
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from argparse_manpage.manpage import Manpage

from ratsnake import __version__
from ratsnake.cli.main import COMMANDS, make_parser
from ratsnake.daemon.configuration.configuration_file import DEFAULT_FILE
from ratsnake.daemon.configuration.json_schema import Key, keys

TITLE = "ratsnake manual"
SOURCE = f"ratsnake {__version__}"
WIDE = 100_000  # columns: the reader's terminal breaks lines, not we
FILE_PAGE = f"{DEFAULT_FILE.name}(5)"

EXIT_STATUS = """.TP
0
success
.TP
1
a failure at run time
.TP
2
a wrong command line or configuration"""
FILES = f""".TP
.I {DEFAULT_FILE}
the configuration of \\fBratsnake run\\fR, see {FILE_PAGE}
.TP
.I /run/ratsnake/DEVICE.sock
the control socket of a NAT that root or a service runs"""
FILE_DESCRIPTION = """\\fBratsnake run \\-\\-config\\fR \\fIFILE\\fR reads this file;
without the flag, it reads \\fI{file}\\fR if that exists.
The format is TOML: sections in brackets, each with lines of the form
.RI \\(dq KEY " = " VALUE \\(dq.
Every flag of \\fBratsnake run\\fR has a key, and a flag overrides its key.
The whole file is checked before anything changes;
\\fBratsnake check\\fR \\fIFILE\\fR only checks it and prints all settings."""
EXAMPLE = """.nf
[nat]
external = ["203.0.113.1"]

[types]
nat = "full\\-cone"

[host]
lan = "br0"
.fi"""


def pages() -> Iterator[tuple[str, str]]:
    """Every page's file name, and what is in it."""
    parser, commands = make_parser(COMMANDS)
    for name, command in commands.items():
        yield f"ratsnake-{name}.1", command_page(name, command)
    yield "ratsnake.1", main_page(parser)
    yield f"{DEFAULT_FILE.name}.5", file_page()


def command_page(name: str, parser: argparse.ArgumentParser) -> str:
    page = page_of(parser, f"ratsnake-{name}", COMMANDS[name])
    page.synopsis[:2] = [parser.prog]
    page.add_section("exit status", "=", EXIT_STATUS)
    related = ["ratsnake(1)", *([FILE_PAGE] if name in ("run", "check", "reload") else [])]
    page.add_section("see also", "=", ", ".join(map(reference, related)))
    return str(page)


def main_page(parser: argparse.ArgumentParser) -> str:
    page = page_of(parser, "ratsnake", "a NAT in user space whose behaviour (RFC 4787) you choose")
    page.synopsis = ["ratsnake", "COMMAND", "[ARGUMENT ...]"]
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    parser._actions.remove(subparsers)
    for group in parser._action_groups:
        if subparsers in group._group_actions:
            group._group_actions.remove(subparsers)
    listed = (f".TP\n\\fB{escaped(name)}\\fR\n{escaped(text)}" for name, text in COMMANDS.items())
    page.add_section("commands", "=", "\n".join(listed))
    page.add_section("files", "=", FILES)
    page.add_section("exit status", "=", EXIT_STATUS)
    related = [*(f"ratsnake-{name}(1)" for name in COMMANDS), FILE_PAGE]
    page.add_section("see also", "=", ",\n".join(map(reference, related)))
    return str(page)


def page_of(parser: argparse.ArgumentParser, prog: str, summary: str) -> Manpage:
    parser.formatter_class = partial(argparse.HelpFormatter, width=WIDE)
    page = Manpage(parser)
    page.prog, page.description, page.manual, page.source = prog, summary, TITLE, SOURCE
    return page


def file_page() -> str:
    name = DEFAULT_FILE.name
    lines = [f'.TH {name.upper()} "5" "" "{SOURCE}" "{TITLE}"', ".SH NAME"]
    lines += [f"{name} \\- configuration of ratsnake", ".SH DESCRIPTION"]
    lines += [FILE_DESCRIPTION.format(file=DEFAULT_FILE)]
    section = ""
    for key in keys():
        if key.section != section:
            section = key.section
            lines += [f".SH [{section}]"]
        lines += entry(key)
    lines += [".SH EXAMPLE", EXAMPLE, ".SH SEE ALSO"]
    lines += [", ".join(map(reference, ("ratsnake(1)", "ratsnake-run(1)", "ratsnake-check(1)")))]
    return "\n".join(lines) + "\n"


def entry(key: Key) -> list[str]:
    kind = f"{key.type} ({key.unit})" if key.unit else key.type
    rfc = f" ({key.rfc})" if key.rfc else ""
    note = f"; {key.note}" if key.note else ""
    default = f". Default: {key.default}" if key.default else ""
    return [
        f".TP\n\\fB{escaped(key.name)}\\fR  \\fI{kind}\\fR",
        f"{escaped(key.meaning + rfc + note + default)}.",
    ]


def escaped(text: str) -> str:
    """Text as roff takes it: a hyphen that is typed, and no line that begins like a request."""
    made = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{made}" if made.startswith((".", "'")) else made


def reference(page: str) -> str:
    name, _, section = escaped(page).partition("(")
    return f"\\fB{name}\\fR({section}"


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / name).write_text(text)
    print(f"manual pages: {folder}")


if __name__ == "__main__":
    main()
