"""When to look whether what a NAT has changed on its host is still there, and what is said of it.

A look (host/monitoring/change_restoration.py) follows at once where the kernel tells of a change,
then after a pause that grows while there is no end of them.  What the kernel does not tell of is
polled.

There is no fight: what others undo ten times in a minute is left as it is, and told.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ...host.installation.host_problem import Problem
from ...host.installation.install_changes import Installed
from ...host.monitoring.change_restoration import Look, Wanted, look_and_restore
from ...host.monitoring.nftables_counters import PacketCounts, packet_counts
from ...host.monitoring.runtime_checks import Known, known_now
from ...host.notifications.kernel_watch import Heard, KernelWatch, Polled
from ...host.routing.proxy_neighbours import ProxyNeighbour
from ...host.routing.routing_changes import Change
from ...host.routing.sysctl_changes import Forwarding, Setting, SharedSetting
from .guard_drop_warnings import GuardDrops
from .host_report import Report

POLL_SECONDS = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 0.8  # seconds between two looks
FILTER_PAUSE, FILTER_SHARE = (
    1.0,
    10,
)  # seconds between two at the packet filter, or times its length
COUNT_SECONDS = 1.0  # between two looks at the counters of packets
RETRY_SECONDS = 5.0  # what could not be made again is tried again
FIGHT, FIGHT_SECONDS = 10, 60.0  # so often in that time is a fight
TRUCE_SECONDS = 300.0
SHOWN = 3  # commands are written out

log = logging.getLogger(__name__)


class Monitor:
    def __init__(
        self,
        watch: KernelWatch,
        clock: Callable[[], float] = time.monotonic,
        look: Callable[[Installed, Known, Wanted], Look] = look_and_restore,
        count: Callable[[Installed], PacketCounts] = packet_counts,
    ) -> None:
        self.report = Report()
        #: MTUs by interface, at the last look.
        self.mtus: dict[str, int] = {}
        self._watch = watch
        self._clock = clock
        self._look = look
        self._count_packets = count
        self._counted: PacketCounts | None = None  # the last reading
        self._guard_drops = GuardDrops()
        self._found: tuple[Problem, ...] = ()  # by the last look
        self._known = Known()
        self._told: frozenset[str] = frozenset()  # problems that need no line in the log
        self._filtered: tuple[Problem, ...] = ()
        self._polled = Polled()
        self._pending = Heard.NOTHING
        self._pause = FIRST_PAUSE
        self._looked = self._next = self._filter_next = -math.inf
        self._poll = self._retry = self._count_next = math.inf
        self._undone: dict[Change, deque[float]] = {}
        self._truces: dict[Change, float] = {}  # until when it is left as it is

    def begin(self, installed: Installed) -> None:
        """Watch over it from now on; it has just been set up, or changed.

        That ends no truce about what stays: ports and addresses may change as often as they like.
        """
        self._told = frozenset(installed.warnings)
        stays = {change for change, _ in installed.done}
        self._truces = {one: until for one, until in self._truces.items() if one in stays}
        self._undone = {one: times for one, times in self._undone.items() if one in stays}
        self._polled = _polled(installed)
        self._known = self._known.updated(known_now(installed.request))
        lengths = {network.prefixlen for network in installed.request.external_networks()}
        self._watch.only(lengths, installed.request.interfaces())
        self._pending = Heard.KERNEL | Heard.FILTER
        self._next = self._filter_next = self._poll = self._clock()
        self._follow_counts(installed, self._clock())

    def close(self) -> None:
        self._watch.close()

    def filenos(self) -> Sequence[int]:
        """Of what is heard; what will be looked at in a moment is not listened to."""
        kernel, *filters = self._watch.filenos()
        waiting = () if Heard.KERNEL in self._pending else (kernel,)
        return waiting if Heard.FILTER in self._pending else (*waiting, *filters)

    def pass_over(self) -> None:
        """What is heard while there is nothing to watch over."""
        self._watch.heard()

    def due(self) -> float:
        due = min(self._poll, self._count_next)
        if Heard.KERNEL in self._pending:
            due = min(due, self._next)
        else:
            due = min(due, self._retry, *self._truces.values())
        if Heard.FILTER in self._pending:
            due = min(due, self._filter_next)
        return due

    def attend(self, installed: Installed) -> Installed:
        """Look if there is a reason to; returns what is in force then."""
        now = self._clock()
        self._pending |= self._watch.heard()
        if now >= self._count_next:
            self._follow_counts(installed, now)
            self._tell(self.report)
        if now >= self._poll:
            self._poll = now + POLL_SECONDS
            if self._watch.differs(self._polled):
                self._pending |= Heard.KERNEL
        if now >= min(self._retry, *self._truces.values(), math.inf):
            self._pending |= Heard.KERNEL
        at_filter = Heard.FILTER in self._pending and now >= self._filter_next
        if (Heard.KERNEL in self._pending and now >= self._next) or at_filter:
            return self._looked_at(installed, now, at_filter)
        return installed

    def look(self, installed: Installed) -> Installed:
        """Look now, also at what a truce was about."""
        self._truces.clear()
        self._undone.clear()
        self._pending |= self._watch.heard() | Heard.LINKS
        self._follow_counts(installed, self._clock())
        return self._looked_at(installed, self._clock(), True)

    def _follow_counts(self, installed: Installed, now: float) -> None:
        """What is counted goes on when a table is made anew; where none can be read it stays."""
        self._count_next = now + COUNT_SECONDS
        try:
            counted = self._count_packets(installed)
        except OSError:  # the next look tells what is wrong with the tables
            return
        more = counted.since(self._counted or PacketCounts())
        dropped = more.guard_dropped if self._counted is not None else 0  # not by a killed run's
        self._guard_drops.note(dropped, installed.request, now)
        self._counted = counted
        self.report = replace(self.report, counts=self.report.counts + more)

    def _looked_at(self, installed: Installed, now: float, at_filter: bool) -> Installed:
        self._truces = {change: until for change, until in self._truces.items() if until > now}
        wanted = Wanted(frozenset(self._truces), Heard.LINKS in self._pending, at_filter)
        self._pending = self._pending & Heard.FILTER if not at_filter else Heard.NOTHING
        self._watch.note(self._polled)
        self._retry = math.inf
        try:
            look = self._look(installed, self._known, wanted)
        except Exception as error:  # what was heard is still to be looked at
            log.error("what has become of this host cannot be looked up: %s", error)
            self._retry = now + RETRY_SECONDS
            return installed
        finally:
            self._rest(now, at_filter)
        self._known, self.mtus = look.known, dict(look.mtus)
        self._count(look.restored, now)
        if look.restored:
            self._pause = FIRST_PAUSE
            self._next = self._clock() + self._pause
            self._pending |= Heard.KERNEL  # somebody may have been at it again meanwhile
        if look.refused:
            self._retry = now + RETRY_SECONDS
        if look.filtered is not None:
            self._filtered = look.filtered
        if look.adapted:
            log.info("made for what has changed on this host: %s", _listed(look.adapted))
        self._polled = _polled(look.installed)
        if look.restored:
            log.warning(
                "others have undone what this NAT needs, and it is made again: %s",
                _listed(look.restored),
            )
        self._found = (*look.problems, *self._filtered, *self._of_ours(look))
        self._tell(self.report.with_restored(tuple(map(str, look.restored))))
        self._told = frozenset()
        return look.installed

    def _rest(self, began: float, at_filter: bool) -> None:
        """Looks that come close one after the other do so less and less."""
        now = self._clock()
        often = began - self._looked < 2 * LONGEST_PAUSE
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if often else FIRST_PAUSE
        self._looked, self._next = now, now + self._pause
        if at_filter:
            self._filter_next = now + max(FILTER_PAUSE, FILTER_SHARE * (now - began))

    def _count(self, restored: Sequence[Change], now: float) -> None:
        """Whether it has become a fight about any of them."""
        for change in restored:
            times = self._undone.setdefault(change, deque(maxlen=FIGHT))
            times.append(now)
            if len(times) == FIGHT and now - times[0] < FIGHT_SECONDS:
                self._truces[change] = now + TRUCE_SECONDS
                del self._undone[change]

    def _tell(self, report: Report) -> None:
        """Let the report have what is wrong by now, and the log what is new of it."""
        before = self.report
        found = (*self._found, *self._guard_drops.problems())
        self.report = replace(report, problems=tuple(dict.fromkeys(found)))
        for problem in self.report.new_problems(before):
            if str(problem) not in self._told:
                log.warning("%s", problem)
        for problem in before.new_problems(self.report):
            log.info("solved: %s", problem.what)

    def _of_ours(self, look: Look) -> Iterator[Problem]:
        left = [change for change in look.left if change in self._truces]
        if left:
            yield Problem(
                f"others undo this NAT's changes again and again, which are left undone for"
                f" {TRUCE_SECONDS / 60:.0f} minutes: {_listed(left)}",
                "ratsnake reload",
            )
        if look.refused and not look.problems:  # which may be why
            for change, why in look.refused[:SHOWN]:
                yield Problem(f"cannot be made again: {why}", str(change))


def _polled(installed: Installed) -> Polled:
    """What of it the kernel tells nobody about."""
    settings: list[str] = []
    proxies = False
    for change, _ in installed.done:
        if isinstance(change, Setting | SharedSetting):
            settings.append(change.path)
        elif isinstance(change, Forwarding):
            settings += change.switches(installed.request.interfaces())
        proxies = proxies or isinstance(change, ProxyNeighbour)
    return Polled(tuple(settings), proxies)


def _listed(changes: Sequence[Change]) -> str:
    shown = ", ".join(f"`{change}`" for change in changes[:SHOWN])
    more = len(changes) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
