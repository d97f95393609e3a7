"""The answer to `flush`: chosen flows of the running NAT are ended.

The packet loop ends a few at a time, between two batches, so that no packet waits for more than
that; other clients have their turns in between.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from ...nat.views.row_filter import RowFilter
from ..control.control_protocol import PAGE
from ..control.control_server import Page, Request
from .row_pages import ALL, row_filter
from .row_request import RowRequest, read_request

PAGES_A_ROW = 64  # so often the client is told how far it has come

log = logging.getLogger(__name__)


class Nat(Protocol):
    """The part of LiveNat that is used here."""

    def flush(
        self, start: int, count: int, began: int, now: int, wanted: RowFilter, by_remote: bool
    ) -> tuple[int, int, int]: ...


class Flusher:
    def __init__(
        self, nat: Nat, now: Callable[[], int], generation: Callable[[], int] = lambda: 0
    ) -> None:
        """`now` is the packet loop's clock in ms, `generation` tells one NAT from the next."""
        self._nat = nat
        self._now = now
        self._generation = generation

    def answer(self, request: Request) -> Iterator[Page]:
        """How many were ended so far, in the last row all; raises ValueError."""
        return self._end(_read(request))

    def _end(self, asked: RowRequest) -> Iterator[Page]:
        wanted, by_remote = row_filter(asked), asked.remote is not None
        began = self._now()
        mappings = sessions = start = pages = 0
        generation = self._generation()
        try:
            while start or not pages:
                if self._generation() != generation:  # rows lie elsewhere now
                    generation, start = self._generation(), 0
                ended = self._nat.flush(start, PAGE, began, self._now(), wanted, by_remote)
                mappings, sessions, start = mappings + ended[0], sessions + ended[1], ended[2]
                pages += 1
                is_told = not start or pages % PAGES_A_ROW == 0
                yield [{"mappings": mappings, "sessions": sessions}] if is_told else []
        finally:  # also where the client has gone: what is ended stays ended
            log.info("flush: mappings ended: %d, sessions: %d", mappings, sessions)


def _read(request: Request) -> RowRequest:
    """Which flows; a request that says nothing is none for all of them."""
    asked = read_request(request, numbers=(), others=("all",))
    everything = request.get("all", False)
    if not isinstance(everything, bool):
        raise ValueError("all must be true or false")
    if everything and asked != ALL:
        raise ValueError("flush takes all, or a filter, not both")
    if not everything and asked == ALL:
        raise ValueError("flush needs a filter (protocol, host, external, remote), or all")
    return asked
