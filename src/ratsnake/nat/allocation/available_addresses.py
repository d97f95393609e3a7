"""Which external addresses new mappings may get: those that are present, where there are any."""

from collections.abc import Sequence

from ..settings.setting_types import Availability, External


def serving(externals: Sequence[External], version: int) -> list[int]:
    """Rows of the addresses of one version of IP that new mappings may get.

    Where all are lost, all: what leaves by them waits for the first to come back.
    """
    rows = _of_version(externals, version)
    present = [row for row in rows if externals[row].availability is Availability.PRESENT]
    return present or rows


def unavailable(externals: Sequence[External]) -> dict[int, int]:
    """The others, each with its availability as a number."""
    return {
        row: externals[row].availability.value
        for version in (4, 6)
        for row in set(_of_version(externals, version)) - set(serving(externals, version))
    }


def _of_version(externals: Sequence[External], version: int) -> list[int]:
    return [
        row
        for row, external in enumerate(externals)
        if external.ports and external.address.version == version
    ]
