"""`ratsnake init`: a commented configuration file for one of the usual set-ups."""

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..daemon.configuration.configuration_file import DEFAULT_FILE, options_of, parse
from ..daemon.user_errors import RunError, UsageError, near
from .init_templates import QUESTIONS, SETUPS, STATE, Answers, Line, Question, Setup, words
from .local_interfaces import ALLOW_MISSING, check_interfaces, missing_interfaces


def _setup_name(text: str) -> str:
    """The set-up that a name or a number of the menu means; raises ValueError."""
    numbers = {str(number): name for number, name in enumerate(SETUPS, 1)}
    name = numbers.get(text, text)
    if name not in SETUPS:
        raise ValueError(
            f"must be 1 to {len(SETUPS)}, or one of {', '.join(SETUPS)}{near(text, SETUPS)}"
        )
    return name


SETUP = Question("setup", "SETUP", "Which is yours (number or name)", _setup_name)
HEAD = """\
# ratsnake: {title}.
#
# `ratsnake check {path}` shows all settings, even those that this file leaves out;
# docs/configuration.md and ratsnake.toml(5) explain each one.
"""
USER = """\
# After set-up, run without privileges as this user: useradd --system ratsnake
# user = "ratsnake"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default=str(DEFAULT_FILE),
        help=f"the file to write (default: {DEFAULT_FILE})",
    )
    parser.add_argument(
        "--yes", action="store_true", help="ask nothing: use the flags, and defaults for the rest"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument(
        ALLOW_MISSING,
        action="store_true",
        help="accept a WAN or LAN that does not exist here: it comes up later, or the file is for"
        " another machine",
    )
    parser.add_argument(
        "--setup", metavar=SETUP.metavar, help=f"one of {', '.join(SETUPS)}, or its number"
    )
    for title, questions in _by_setups().items():
        group = parser.add_argument_group(title)
        for question in questions:
            group.add_argument(
                f"--{question.key}", metavar=question.metavar, help=_help(question.text)
            )


def run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    if path.exists() and not arguments.force:
        raise UsageError(f"{path}: exists already; --force replaces it")
    asking = not arguments.yes
    if asking and not sys.stdin.isatty():
        raise UsageError("the questions need a terminal; answer them by flags, with --yes")
    given = {key: value for key, value in vars(arguments).items() if value is not None}
    if asking:
        print(_menu(), end="", flush=True)
    answers: dict[str, str] = {}
    interview = Interview(given, asking, arguments.allow_missing)
    setup = SETUPS[_setup_name(interview.answer(SETUP, answers))]
    for question in setup.questions:
        if question.applies(answers) or (question.optional and question.key in given):
            answers[question.key] = interview.answer(question, answers)
    _refuse_unused(given, answers)
    try:
        text = document(setup, [*setup.lines(answers), STATE], path)
    except ValueError as error:
        raise UsageError(str(error)) from None
    options_of(parse(text, str(path)), {})
    _write(path, text, arguments.force)
    print(f"{path} is written.", *_notes(setup, answers, given, asking), sep="\n")
    print(*setup.left(answers), "Then:", sep="\n")
    for command in (
        "ratsnake check",
        "sudo ratsnake host plan --config",
        "sudo ratsnake run --config",
    ):
        print(f"    {command} {path}")
    return 0


def document(setup: Setup, lines: list[Line], path: Path) -> str:
    """The file: sections with their keys, in the order of `lines`."""
    sections = list(dict.fromkeys(line.section for line in lines))
    text = HEAD.format(title=setup.title, path=path)
    for section in sections:
        text += f"\n[{section}]\n"
        ours = [line for line in lines if line.section == section]
        for line in ours:
            text += f"\n{line}" if line.comment and line is not ours[0] else str(line)
        text += f"\n{USER}" if section == "host" else ""
    return text


def _by_setups() -> dict[str, list[Question]]:
    """The questions, by the names of the set-ups that ask them."""
    found: dict[str, list[Question]] = {}
    for key, question in QUESTIONS.items():
        askers = [name for name, setup in SETUPS.items() if key in _keys(setup)]
        title = "every set-up" if len(askers) == len(SETUPS) else ", ".join(askers)
        found.setdefault(title, []).append(question)
    return found


def _keys(setup: Setup) -> list[str]:
    return [question.key for question in setup.questions]


def _help(text: str) -> str:
    return (text[0].lower() + text[1:]).replace("%", "%%")


def _menu() -> str:
    """Each set-up and what it is for, in 80 columns or the terminal's."""
    columns = min(79, shutil.get_terminal_size().columns - 1)
    width = max(map(len, SETUPS))
    hang = " " * (width + 7)
    return "".join(
        textwrap.fill(f"  {n}  {name:<{width}}  {setup.title}", columns, subsequent_indent=hang)
        + "\n"
        for n, (name, setup) in enumerate(SETUPS.items(), 1)
    )


def _notes(
    setup: Setup, answers: Mapping[str, str], given: Mapping[str, str], asking: bool
) -> Iterator[str]:
    """What to look at again: answers that nobody gave, and interfaces that are not here."""
    guessed = [] if asking else [key for key in answers if key not in given]
    if guessed:
        yield f"Taken by default: {', '.join(f'--{key} {answers[key]}' for key in guessed)}"
    for question in setup.questions:
        for name in missing_interfaces(words(answers.get(question.key, ""))):
            if question.interface:
                yield f"Note: there is no interface {name} here now (--{question.key})."


@dataclass(frozen=True)
class Interview:
    """How questions are answered: by flags, at the terminal if `asking`, or by default."""

    given: Mapping[str, str]
    asking: bool
    allow_missing: bool

    def answer(self, question: Question, answers: Answers) -> str:
        """What was given, or is asked, or is likely; raises UsageError."""
        text = self.given.get(question.key) or question.default(answers)
        if self.asking and question.key not in self.given:
            return self._asked(question, answers, text)
        if not text:
            raise UsageError(
                f"--{question.key} {question.metavar} is needed: {_help(question.text)}"
            )
        try:
            self._check(question, answers, text)
        except ValueError as error:
            raise UsageError(f"--{question.key} {text}: {error}") from None
        return text

    def _check(self, question: Question, answers: Answers, text: str) -> None:
        question.check(text)
        if question.interface:
            check_interfaces(words(text), answers.get("wan", ""), self.allow_missing)

    def _asked(self, question: Question, answers: Answers, default: str) -> str:
        """The first answer that can be right; raises RunError when there are no more."""
        if hint := question.hint():
            print(f"  ({hint})")
        prompt = f"{question.text}{f' [{default}]' if default else ''}: "
        while True:
            try:
                text = input(prompt).strip() or default
            except EOFError:
                raise RunError("no answer: nothing is written") from None
            try:
                if not text:
                    raise ValueError("there is no default for this")
                self._check(question, answers, text)
            except ValueError as error:
                print(f"  {error}" if not text or text in str(error) else f"  {text}: {error}")
                continue
            return text


def _refuse_unused(given: Iterable[str], answers: Iterable[str]) -> None:
    """An answer that no question asked for is a mistake."""
    for key in given:
        if key in QUESTIONS and key not in answers:
            raise UsageError(f"--{key}: is not asked for in this set-up")


def _write(path: Path, text: str, replace: bool) -> None:
    """The whole file or none of it; raises OSError."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no directory {path.parent}")
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(fresh, "x", encoding="utf-8") as file:
            file.write(text)
            # Nothing in it is a secret, and the user that the NAT becomes reads it too, to reload.
            os.fchmod(file.fileno(), 0o644)
        if replace:
            os.replace(fresh, path)
        else:
            os.link(fresh, path)  # does not replace what has come meanwhile
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()
