"""A program in a terminal of a fixed size, and the screen it shows there."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

import pyte
from drawing import PLAIN, Cell, Line, Style

KIND = "xterm-256color"


class Terminal:
    """The program `argv`, until it is closed; its screen is read by `watch`."""

    def __init__(self, argv: Sequence[str], columns: int, rows: int) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in ("LINES", "COLUMNS")}
        self._process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, "TERM": KIND},
            start_new_session=True,
        )
        os.close(slave)

    def watch(self, seconds: float) -> None:
        """Read what it shows until it ends, or for so long."""
        deadline = time.monotonic() + seconds
        while select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            try:
                self._stream.feed(os.read(self._master, 65536))
            except OSError:  # the program has closed its end
                return

    def close(self, keys: str = "") -> int:
        """Type what ends the program; its exit status."""
        os.write(self._master, keys.encode())
        try:
            return self._process.wait(10)
        finally:
            self._process.kill()
            os.close(self._master)

    def lines(self) -> list[Line]:
        """The screen up to the last line that is not empty."""
        screen = self._screen
        lines = [
            [_cell(screen.buffer[row][column]) for column in range(screen.columns)]
            for row in range(screen.lines)
        ]
        while lines and all(cell == (" ", PLAIN) for cell in lines[-1]):
            lines.pop()
        return lines


def _cell(char: pyte.screens.Char) -> Cell:
    return char.data, Style(char.fg, char.bold, char.reverse)
