"""Filters of rows, for an engine of either flavour."""

from ipaddress import ip_network
from typing import Any

from .flavours import Engine


def row_filter(engine: Engine, protocol: int | None = None, **ranges: Any) -> Any:
    """`ranges`: by the name of an endpoint (prefix or None, port or None)."""
    kinds = engine.modules["nat.views.row_filter"]
    given = {
        name: kinds.EndpointRange(None if prefix is None else ip_network(prefix), port)
        for name, (prefix, port) in ranges.items()
    }
    return kinds.RowFilter(protocol, **given)
