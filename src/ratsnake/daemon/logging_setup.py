"""The log: standard logging to stderr, one line a record."""

import logging

from .user_errors import shown

FORMAT = "%(asctime)s %(levelname)s %(message)s"


class OneLine(logging.Formatter):
    """Keeps a record on one line, whatever an error's text holds."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(" | ".join(super().format(record).splitlines()))


def start() -> None:
    """Send records of level INFO and above to stderr.

    A log nobody reads any more (a closed pipe) must not stop the NAT: logging's own errors are
    not raised.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False
