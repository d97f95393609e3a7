"""The rows of a table as a control client gets them: page by page."""

from collections.abc import Callable, Generator
from typing import Any, Protocol

from ...nat.views.row_filter import EndpointRange, RowFilter
from ..control.control_protocol import PAGE
from ..user_errors import RunError
from .endpoint_pattern import Endpoints
from .row_request import RowRequest

RELOADED = "the NAT was told other settings meanwhile, and its rows lie elsewhere now; ask again"


class Row(Protocol):
    """A MappingRow or SessionRow of ratsnake.nat."""

    def _asdict(self) -> dict[str, Any]: ...


ReadRows = Callable[[int, int, int, RowFilter], tuple[list[Any], int]]
ALL = RowRequest()
# What is yielded is sent; what is returned stands in the last line of the answer.
Pages = Generator[list[dict[str, Any]], None, dict[str, Any]]


def row_filter(asked: RowRequest) -> RowFilter:
    return RowFilter(
        asked.protocol, _range(asked.host), _range(asked.external), _range(asked.remote)
    )


def row_pages(
    read: ReadRows,
    now: Callable[[], int],
    asked: RowRequest = ALL,
    generation: Callable[[], int] = lambda: 0,
) -> Pages:
    """The rows asked for as dictionaries; raises RunError once the NAT is another than at first.

    `read` is a LiveNat's `mapping_rows` or `session_rows`, `now` gives the packet loop's clock in
    milliseconds, `generation` tells one NAT from the next.  A page of which no row is wanted is
    empty.
    """
    wanted = row_filter(asked)
    start, sent = asked.start, 0
    began = generation() if asked.generation is None else asked.generation
    while asked.limit is None or sent < asked.limit:
        if generation() != began:
            raise RunError(RELOADED)
        rows, start = read(start, PAGE, now(), wanted)
        yield [row._asdict() for row in rows]
        sent += len(rows)
        if not start:
            return {}
    return {"next": start, "generation": began}


def _range(endpoints: Endpoints | None) -> EndpointRange | None:
    return None if endpoints is None else EndpointRange(endpoints.prefix, endpoints.port)
