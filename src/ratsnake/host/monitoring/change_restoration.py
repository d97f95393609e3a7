"""Looking whether what a run has changed is still there, and making it again where it is not.

Other programs flush rules and routes, interfaces go and come back with nothing of what they had.
One look does all of it, in a child process: it compares, restores, and says what is wrong on this
host besides that is not ours to mend (`problems`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..installation.change_plan import is_complete, steps_of
from ..installation.host_problem import Problem
from ..installation.install_changes import Installed
from ..installation.plan_update import difference, renew, revise
from ..kernel.kernel_state import KernelState
from ..processes.forked_call import in_child
from ..routing.routing_changes import Change
from ..routing.routing_request import RoutingError
from .runtime_checks import Known, filter_problems, problems

if TYPE_CHECKING:
    from pyroute2 import IPRoute


@dataclass(frozen=True)
class Look:
    """What one look has found.

    `restored` was gone and is there again, `refused` could not be made again for the reason given,
    `left` is gone and was not to be made again.  `adapted` are other changes than before, which the
    host asks for by now.  `known` is what the next look is to know.  `filtered` is None where the
    packet filter was not looked at.  `mtus` are in octets, by interface.
    """

    installed: Installed
    known: Known
    restored: tuple[Change, ...] = ()
    refused: tuple[tuple[Change, str], ...] = ()
    left: tuple[Change, ...] = ()
    adapted: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    filtered: tuple[Problem, ...] | None = None
    mtus: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What a look is to do: restore all `but` these, plan `anew` for interfaces that have changed,
    and look at the packet `filter`."""

    but: frozenset[Change] = frozenset()
    anew: bool = False
    filter: bool = False


def look_and_restore(installed: Installed, known: Known, wanted: Wanted) -> Look:
    """Raises ChildError."""
    return in_child(_look, installed, known, wanted)


def _look(installed: Installed, known: Known, wanted: Wanted) -> Look:
    from pyroute2 import IPRoute

    with IPRoute(strict_check=True) as netlink:
        renewed, refused = renew(netlink, installed.done, wanted.but)
        now = dict(renewed)
        done = tuple((change, now.get(change, before)) for change, before in installed.done)
        installed = replace(installed, done=done)
        adapted: tuple[Change, ...] = ()
        lacking: tuple[Problem, ...] = ()
        if wanted.anew or not is_complete(installed.request, [one for one, _ in done]):
            installed, adapted, lacking = _planned_anew(netlink, installed, wanted.but)
        kernel = KernelState(netlink)
        known = known.with_now(kernel, installed.request)
        return Look(
            installed,
            known,
            tuple(now),
            tuple(refused.items()),
            tuple(one for one in wanted.but if not one.in_force(kernel)),
            adapted,
            (*problems(kernel, installed.request, known), *lacking),
            filter_problems(netlink, installed.request) if wanted.filter else None,
            tuple((name, link.get_attr("IFLA_MTU")) for name, link in kernel.links.items()),
        )


def _planned_anew(
    netlink: IPRoute, installed: Installed, but: Collection[Change]
) -> tuple[Installed, tuple[Change, ...], tuple[Problem, ...]]:
    """What an interface that has come or has other addresses asks for, which of it is new, and what
    this kernel still refuses.

    A plan that cannot be made changes nothing: `problems` says what is wrong.
    """
    before = tuple(change for change, _ in installed.done)
    lacking: tuple[Problem, ...] = ()
    try:
        steps, lacking = steps_of(netlink, installed.request, installed.number)
        wanted = tuple(step.change for step in steps)
        found = difference(before, wanted)
        if not found.made and not found.gone:
            return installed, (), lacking
        done, _ = revise(netlink, installed.done, wanted, but)
    except (RoutingError, OSError):
        return installed, (), lacking
    return replace(installed, done=done), found.made, lacking
