"""`ratsnake top`: what the running NAT does, live."""

import argparse
import contextlib
import curses
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from ..daemon.configuration.flag_definition import Flag
from ..daemon.configuration.option_parsing import read_flags, running_socket_path
from ..daemon.user_errors import RunError, UsageError, near
from ..daemon.views.row_request import FILTER_FLAGS
from ..nat.views.row_tuples import PROTOCOL_NAMES
from . import control_arguments
from .argument_table import add_flags, texts
from .top_screen import is_heading, screen
from .top_snapshot import BY, Choice, Look, Observer

LEAST_SECONDS, MOST_SECONDS = 0.5, 60.0
PLAIN_WIDTH, PLAIN_HEIGHT = 80, 24  # of --once where there is no terminal
FILTERS = {flag.key: flag for flag in FILTER_FLAGS if flag.key in ("host", "protocol")}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise ValueError(f"must be a number of seconds from {LEAST_SECONDS} to {MOST_SECONDS:.0f}")
    return seconds


def _order(text: str) -> str:
    if text in BY:
        return text
    raise ValueError(f"must be one of {', '.join(BY)}{near(text, BY)}")


FLAGS = (
    Flag("interval", "SECONDS", _seconds, "how often to refresh (default: 2)", default="2"),
    Flag(
        "sort",
        "KEY",
        _order,
        "order the busiest hosts by bytes or sessions (default: bytes)",
        BY[0],
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    control_arguments.add_socket(parser)
    add_flags(parser, (*FLAGS, *FILTERS.values()))
    parser.add_argument(
        "--once", action="store_true", help="print one screen after one interval, and exit"
    )


def run(arguments: argparse.Namespace) -> int:
    given = texts(arguments)
    read_flags(FILTERS.values(), given)
    values = read_flags(FLAGS, given)
    choice = Choice(values["sort"], str(given["host"] or ""), str(given["protocol"] or ""))
    observer = Observer(running_socket_path(given), time.monotonic)
    if arguments.once:
        print_once(observer, choice, values["interval"], time.sleep)
        return 0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("top needs a terminal; --once prints one screen without")
    first = observer.look(choice)  # whoever asks in vain is told so on an ordinary screen
    for name in ("LINES", "COLUMNS"):  # curses would believe them, whatever the terminal becomes
        os.environ.pop(name, None)
    try:
        curses.wrapper(lambda window: Live(window, observer, choice, first).run(values["interval"]))
    except curses.error as error:
        raise RunError(f"this terminal will not do ({error}); --once prints one screen") from None
    return 0


def print_once(
    observer: Observer, choice: Choice, seconds: float, wait: Callable[[float], None]
) -> None:
    """A screen of what the NAT did in the next `seconds`."""
    observer.look(choice)
    wait(seconds)
    look = observer.look(choice)
    width, height = shutil.get_terminal_size((PLAIN_WIDTH, PLAIN_HEIGHT))
    print("\n".join(screen(look, choice, width, height, message="")).rstrip())


class Live:
    """The terminal, until `q`."""

    def __init__(
        self, window: "curses.window", observer: Observer, choice: Choice, look: Look
    ) -> None:
        self._window = window
        self._observer = observer
        self._choice = choice
        self._look = look
        self._message: str | None = None  # the keys

    def run(self, interval: float) -> None:
        with contextlib.suppress(curses.error):  # of a terminal that cannot hide it
            curses.curs_set(0)
        due = time.monotonic() + interval
        while True:
            self._draw()
            self._window.timeout(max(0, round(1000 * (due - time.monotonic()))))
            key = self._window.getch()
            if key == ord("q"):
                return
            if key == curses.KEY_RESIZE:
                continue
            if key == -1 or self._chosen(key):
                self._look_again()
                due = time.monotonic() + interval

    def _look_again(self) -> None:
        try:
            self._look = self._observer.look(self._choice)
            self._message = None
        except RunError as error:  # it may come back: a NAT is started anew
            self._message = str(error)

    def _fit(self) -> None:
        """Take the terminal's size: curses misses a change that comes just before it waits."""
        width, height = os.get_terminal_size(sys.stdout.fileno())
        if curses.is_term_resized(height, width):
            curses.resizeterm(height, width)

    def _draw(self) -> None:
        self._fit()
        height, width = self._window.getmaxyx()
        self._window.erase()
        lines = screen(self._look, self._choice, width, height, self._message)
        for row, line in enumerate(lines[:-1]):
            style = curses.A_BOLD if is_heading(line) else curses.A_NORMAL
            self._window.addnstr(row, 0, line, width, style)
        # Inserted, for the last cell of a terminal cannot be added to without scrolling.
        self._window.insnstr(height - 1, 0, lines[-1].ljust(width), width, curses.A_REVERSE)
        self._window.refresh()

    def _chosen(self, key: int) -> bool:
        """Whether the key asks for something else than is shown, which is then chosen."""
        choices: dict[int, Callable[[], Choice]] = {
            ord(" "): lambda: self._choice,
            ord("b"): lambda: replace(self._choice, by="bytes"),
            ord("s"): lambda: replace(self._choice, by="sessions"),
            ord("h"): self._asked_host,
            ord("p"): lambda: replace(self._choice, protocol=after(self._choice.protocol)),
            ord("r"): lambda: Choice(self._choice.by),
        }
        if key not in choices:
            return False
        try:
            self._choice = choices[key]()
        except ValueError as error:
            self._message = str(error)
            return False
        return True

    def _asked_host(self) -> Choice:
        """Raises ValueError where what is typed is no prefix."""
        height, width = self._window.getmaxyx()
        question = "only hosts of this prefix (none: all): "
        self._window.move(height - 1, 0)
        self._window.clrtoeol()
        self._window.addnstr(height - 1, 0, question, width - 1)
        self._window.timeout(-1)
        curses.echo()
        try:
            typed = self._window.getstr(height - 1, min(len(question), width - 1))
        finally:
            curses.noecho()
        text = typed.decode(errors="replace").strip()
        if text:
            FILTERS["host"].parse(text)
        return replace(self._choice, host=text)


def after(protocol: str) -> str:
    """The next protocol to show; after the last come all, which is ""."""
    known = ("", *PROTOCOL_NAMES)
    return known[(known.index(protocol) + 1) % len(known)]
