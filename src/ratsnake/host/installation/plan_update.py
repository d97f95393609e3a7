"""How changes in force become others while packets pass: only what differs is touched.

New ones are made before old ones are taken back, in the orders of a start and of an end, so at no
moment is less in force than either has.  Where a new route or guard stands in the place of an old
one, the kernel exchanges the two.  What stays is compared with the kernel, and made again where
others have taken it away.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..kernel.kernel_state import KernelState
from ..nftables.source_guard import Guard
from ..routing.routing_changes import Change, Route
from ..routing.routing_request import RoutingError
from .kernel_refusals import in_words

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: Changes with what each replaced, in the order they were made.
Done: TypeAlias = tuple[tuple[Change, str | None], ...]

#: Of which there is one in its place only: the kernel exchanges the old one and the new one.
Exchanged: TypeAlias = Route | Guard
_EXCHANGED = (Route, Guard)


@dataclass(frozen=True)
class Difference:
    """What is made, in its order, and what is taken back, in the order it was made.

    `exchanged`: which of the former replaces which of the latter.
    """

    made: tuple[Change, ...]
    gone: tuple[Change, ...]
    exchanged: dict[Exchanged, Exchanged]


def difference(present: Sequence[Change], wanted: Sequence[Change]) -> Difference:
    before, after = set(present), set(wanted)
    gone = tuple(change for change in present if change not in after)
    made = tuple(change for change in wanted if change not in before)
    places = {change.place: change for change in gone if isinstance(change, _EXCHANGED)}
    exchanged = {
        change: places[change.place]
        for change in made
        if isinstance(change, _EXCHANGED) and change.place in places
    }
    return Difference(made, gone, exchanged)


def revise(
    netlink: IPRoute, done: Done, wanted: Sequence[Change], but: Collection[Change] = ()
) -> tuple[Done, tuple[str, ...]]:
    """What is done then, and a message for each old change that could not be taken back.

    `but`: what stays of these is not made again.  Raises `RoutingError` naming the step that failed
    and why, with all as it was.
    """
    before = dict(done)
    found = difference(tuple(before), wanted)
    made: list[tuple[Change, str | None]] = []
    for change in found.made:
        try:
            made.append((change, _make(netlink, change, found.exchanged)))
        except _errors() as error:
            _unmake(netlink, made, found.exchanged)
            raise RoutingError(f"cannot do `{change}`: {in_words(change, error)}") from None
    replaced = set(found.exchanged.values())
    failures: list[str] = []
    left: list[tuple[Change, str | None]] = []
    for change in reversed(found.gone):
        failed = () if change in replaced else undo(netlink, ((change, before[change]),))
        if failed:
            left.insert(0, (change, before[change]))
        failures += failed
    now = before | dict(made)
    stay = tuple((one, now[one]) for one in wanted if one in before)
    renewed, refused = renew(netlink, stay, but)
    now |= dict(renewed)
    failures += [f"cannot do `{change}` again: {why}" for change, why in refused.items()]
    return (*left, *((change, now[change]) for change in wanted)), tuple(failures)


def renew(
    netlink: IPRoute, done: Done, but: Collection[Change] = ()
) -> tuple[Done, dict[Change, str]]:
    """Make again what the kernel has no more of what was done, `but` for these.

    Returns what was made, and of what could not be made why.
    """
    kernel = KernelState(netlink)
    renewed: list[tuple[Change, str | None]] = []
    failed: dict[Change, str] = {}
    for change, before in done:
        if change in but:
            continue
        try:
            if not change.in_force(kernel):
                renewed.append((change, change.renew(netlink, before)))
        except _errors() as error:
            # What others changed while the kernel told its tables may have been left out
            # (NLM_F_DUMP_INTR of netlink(7), which pyroute2 does not tell).
            if not change.in_force(KernelState(netlink)):
                failed[change] = in_words(change, error)
    return tuple(renewed), failed


def undo(netlink: IPRoute, done: Done) -> tuple[str, ...]:
    """Take every change back, the last first; returns a message for each that failed."""
    failures = []
    for change, before in reversed(done):
        try:
            change.undo(netlink, before)
        except _errors() as error:
            failures.append(f"cannot undo `{change}`: {in_words(change, error)}")
    return tuple(failures)


def _make(netlink: IPRoute, change: Change, exchanged: dict[Exchanged, Exchanged]) -> str | None:
    if isinstance(change, _EXCHANGED) and change in exchanged:
        change.replace(netlink)
        return None
    return change.apply(netlink)


def _unmake(
    netlink: IPRoute,
    made: Sequence[tuple[Change, str | None]],
    exchanged: dict[Exchanged, Exchanged],
) -> None:
    for change, before in reversed(made):
        if isinstance(change, _EXCHANGED) and change in exchanged:
            exchanged[change].replace(netlink)
        else:
            undo(netlink, ((change, before),))


def _errors() -> tuple[type[Exception], ...]:
    from pyroute2 import NetlinkError

    return NetlinkError, OSError
