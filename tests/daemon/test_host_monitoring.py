"""daemon/host_integration/host_monitoring.py: when it looks and what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import Any

import pytest

from ratsnake.daemon.host_integration.guard_drop_warnings import QUIET_SECONDS
from ratsnake.daemon.host_integration.host_monitoring import (
    COUNT_SECONDS,
    FIGHT,
    FILTER_PAUSE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    POLL_SECONDS,
    RETRY_SECONDS,
    TRUCE_SECONDS,
    Monitor,
)
from ratsnake.daemon.host_integration.host_report import Report, events_since, read_report
from ratsnake.host.installation.host_problem import Problem
from ratsnake.host.installation.install_changes import Installed
from ratsnake.host.monitoring.change_restoration import Look, Wanted
from ratsnake.host.monitoring.nftables_counters import PacketCounts
from ratsnake.host.monitoring.runtime_checks import Known
from ratsnake.host.notifications.kernel_watch import Heard, Polled
from ratsnake.host.processes.forked_call import ChildError
from ratsnake.host.routing.routing_changes import Rule
from ratsnake.host.routing.routing_request import Request

RULE, OTHER = Rule(7, table=8), Rule(9, table=8)
REQUEST = Request("nat0", ("lan0",), (IPv4Address("203.0.113.1"),), (IPv4Network("10.0.0.0/8"),))
INSTALLED = Installed(0, REQUEST, ((RULE, None), (OTHER, None)), ("the firewall drops",))
DOWN = Problem("interface lan0 is down", "ip link set lan0 up")


class Watch:
    """The kernel, which says what a test has it say."""

    def __init__(self) -> None:
        self.next = Heard.NOTHING
        self.differing = False

    def filenos(self) -> tuple[int, ...]:
        return (5, 6)

    def only(self, lengths: Sequence[int], interfaces: Sequence[str]) -> None:
        pass

    def heard(self) -> Heard:
        heard, self.next = self.next, Heard.NOTHING
        return heard

    def differs(self, polled: Polled) -> bool:
        return self.differing

    def note(self, polled: Polled) -> None:
        self.differing = False

    def close(self) -> None:
        pass


class Scene:
    """A monitor that has begun, its clock, and what its looks find."""

    def __init__(self, counted: PacketCounts | None = None) -> None:
        self.now = 1000.0
        self.watch = Watch()
        self.wanted: list[Wanted] = []
        self.found: dict[str, Any] = {}
        self.fails = False
        self.counted: PacketCounts | None = counted or PacketCounts()
        self.monitor = Monitor(
            self.watch,  # type: ignore[arg-type]
            lambda: self.now,
            self._look,
            self._count,
        )
        self.monitor.begin(INSTALLED)

    def _look(self, installed: Installed, known: Known, wanted: Wanted) -> Look:
        self.wanted.append(wanted)
        if self.fails:
            raise ChildError("no helper process can be started")
        left = tuple(wanted.but)
        restored = tuple(one for one in self.found.get("restored", ()) if one not in left)
        more = {**self.found, "restored": restored, "left": left}
        return Look(installed, known, filtered=() if wanted.filter else None, **more)

    def _count(self, installed: Installed) -> PacketCounts:
        if self.counted is None:
            raise OSError("no privilege")
        return self.counted

    def attend(self, heard: Heard = Heard.NOTHING, after: float = 0.0, **found: Any) -> int:
        """How many looks it takes then."""
        self.now += after
        self.watch.next, self.found = heard, found
        before = len(self.wanted)
        self.monitor.attend(INSTALLED)
        return len(self.wanted) - before


@pytest.fixture
def scene() -> Scene:
    """After the first look."""
    made = Scene()
    assert made.monitor.due() == made.now
    assert made.attend() == 1
    assert made.wanted == [Wanted(filter=True)]
    return made


def test_it_looks_at_once_and_then_less_and_less(scene: Scene) -> None:
    pauses = []
    for _ in range(5):
        assert scene.attend(Heard.KERNEL) in (0, 1)
        pauses.append(scene.monitor._next - scene.now)
        scene.now = scene.monitor._next
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE) == max(pauses)
    assert scene.attend(Heard.KERNEL, after=60) == 1
    assert scene.monitor._next - scene.now == pytest.approx(FIRST_PAUSE)


def test_what_is_heard_too_early_is_looked_at_later_and_nobody_listens(scene: Scene) -> None:
    scene.attend(Heard.KERNEL, after=10)
    assert scene.monitor.filenos() == (5, 6)
    assert scene.attend(Heard.LINKS | Heard.KERNEL) == 0
    assert scene.monitor.filenos() == (6,)
    assert scene.monitor.due() == pytest.approx(scene.now + FIRST_PAUSE)
    assert scene.attend(after=FIRST_PAUSE) == 1
    assert scene.wanted[-1] == Wanted(anew=True)
    assert scene.monitor.filenos() == (5, 6)


def test_what_was_made_again_is_looked_at_soon(scene: Scene) -> None:
    for _ in range(5):
        assert scene.attend(Heard.KERNEL, after=LONGEST_PAUSE) == 1
    assert scene.attend(Heard.KERNEL, after=LONGEST_PAUSE, restored=[RULE]) == 1
    assert scene.monitor.due() == scene.monitor._next  # whatever is heard
    assert scene.monitor._next - scene.now == pytest.approx(FIRST_PAUSE)


def test_the_packet_filter_is_looked_at_less_often(scene: Scene) -> None:
    assert scene.attend(Heard.FILTER) == 0
    assert scene.monitor.filenos() == (5,)
    assert scene.attend(Heard.KERNEL, after=FILTER_PAUSE / 2) == 1
    assert not scene.wanted[-1].filter
    assert scene.attend(after=FILTER_PAUSE / 2) == 1
    assert scene.wanted[-1].filter


def test_what_nobody_tells_of_is_polled(scene: Scene) -> None:
    assert scene.attend(after=POLL_SECONDS) == 0
    scene.watch.differing = True
    assert scene.monitor.due() == scene.now + POLL_SECONDS
    assert scene.attend(after=POLL_SECONDS) == 1


def test_there_is_no_fight(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(FIGHT):
        assert scene.attend(Heard.KERNEL, after=1.0, restored=[RULE]) == 1
        assert scene.wanted[-1].but == frozenset()
    assert scene.monitor.report.restored == FIGHT
    assert scene.attend(Heard.KERNEL, after=1.0, restored=[RULE, OTHER]) == 1
    assert scene.wanted[-1].but == {RULE}
    (problem,) = scene.monitor.report.problems
    assert str(problem) == (
        "others undo this NAT's changes again and again, which are left undone for 5 minutes: "
        "`ip rule add priority 7 protocol 82 lookup 8`: type `ratsnake reload`"
    )
    assert str(problem) in caplog.text
    assert scene.attend(after=TRUCE_SECONDS, restored=[RULE]) == 1
    assert scene.wanted[-1].but == frozenset()
    assert scene.monitor.report.problems == ()


def test_a_look_that_is_asked_for_ends_the_truce(scene: Scene) -> None:
    for _ in range(FIGHT):
        scene.attend(Heard.KERNEL, after=1.0, restored=[RULE])
    scene.found = {}
    scene.monitor.look(INSTALLED)
    assert scene.wanted[-1] == Wanted(anew=True, filter=True)


def test_a_change_of_the_set_up_ends_no_truce_about_what_stays(scene: Scene) -> None:
    for _ in range(FIGHT):
        scene.attend(Heard.KERNEL, after=1.0, restored=[RULE])
    for done in (((RULE, None), (OTHER, None)), ((OTHER, None),)):
        scene.monitor.begin(replace(INSTALLED, done=done))
        scene.attend(Heard.KERNEL, after=1.0)
        assert scene.wanted[-1].but == ({RULE} if (RULE, None) in done else frozenset())


def test_seldom_is_no_fight(scene: Scene) -> None:
    for _ in range(3 * FIGHT):
        scene.attend(Heard.KERNEL, after=10.0, restored=[RULE])
        assert scene.wanted[-1].but == frozenset()


def test_what_is_wrong_is_told_once_and_when_it_is_right_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for _ in range(3):
        scene.attend(Heard.KERNEL, after=5.0, problems=(DOWN,))
    assert scene.monitor.report.problems == (DOWN,)
    scene.attend(Heard.KERNEL, after=5.0)
    assert [record.getMessage() for record in caplog.records] == [
        "interface lan0 is down: type `ip link set lan0 up`",
        "solved: interface lan0 is down",
    ]


def test_what_the_start_has_warned_of_is_not_told_twice(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.attend(problems=(Problem(*INSTALLED.warnings),))
    assert scene.monitor.report.problems
    assert caplog.text == ""


def test_what_cannot_be_made_again_is_told_and_tried_again(scene: Scene) -> None:
    scene.attend(Heard.KERNEL, after=5.0, refused=((RULE, "no room"),))
    (problem,) = scene.monitor.report.problems
    assert problem == Problem("cannot be made again: no room", str(RULE))
    assert scene.attend(after=RETRY_SECONDS) == 1
    assert scene.monitor.report.problems == ()


def test_a_look_that_fails_is_told_and_tried_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.fails = True
    assert scene.attend(Heard.KERNEL, after=5.0) == 1
    assert "no helper process can be started" in caplog.text
    scene.fails = False
    assert scene.attend(after=RETRY_SECONDS) == 1


def test_a_truce_that_ends_soon_after_a_look_is_waited_for(scene: Scene) -> None:
    scene.attend(Heard.KERNEL, after=60.0)
    scene.monitor._truces[RULE] = scene.now + FIRST_PAUSE / 2
    assert scene.attend(after=FIRST_PAUSE / 2) == 0
    assert scene.monitor.due() > scene.now
    assert scene.attend(after=FIRST_PAUSE) == 1


@pytest.mark.parametrize(
    "error", [ChildError("no process"), OSError("no buffers"), ValueError("x")]
)
def test_whatever_a_look_raises_it_is_tried_again(scene: Scene, error: Exception) -> None:
    def fails(*_: object) -> Look:
        raise error

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scene.monitor, "_look", fails)
        scene.attend(Heard.KERNEL, after=5.0)
    assert scene.attend(after=RETRY_SECONDS) == 1


def test_a_report_crosses_to_the_other_process_and_becomes_events() -> None:
    before = Report((DOWN,), 2, ("a", "b"))
    gone = Problem("the WAN is gone", topic="WAN")
    after = Report((gone,), 2, ("a", "b"), PacketCounts(1, 2)).with_restored(("c", "d"))
    assert read_report(after.row()) == after
    assert list(events_since(after, before)) == [
        ("host-restored", {"change": "c"}),
        ("host-restored", {"change": "d"}),
        ("host-problem", {"problem": "the WAN is gone", "command": None}),
        ("host-right", {"problem": "interface lan0 is down"}),
    ]
    assert list(events_since(after, after)) == []
    assert len(after.with_restored(("e",) * 100).recent) == 50


def test_what_the_guard_drops_is_a_problem_until_it_is_quiet(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    reports = [scene.monitor.report]
    assert scene.monitor.due() <= scene.now + COUNT_SECONDS
    for dropped in (1, 1, 3):
        scene.counted = PacketCounts(dropped, 7)
        assert scene.attend(after=COUNT_SECONDS) == 0
        reports.append(scene.monitor.report)
    assert scene.monitor.report.counts == PacketCounts(3, 7)
    (problem,) = scene.monitor.report.problems
    assert str(problem).startswith("3 packets with an inside source were about to leave by ")
    scene.attend(Heard.KERNEL, after=QUIET_SECONDS - COUNT_SECONDS)
    assert scene.monitor.report.problems == (problem,)
    scene.attend(after=COUNT_SECONDS)
    assert scene.monitor.report.problems == ()
    assert [message.split(" with ")[0] for message in caplog.messages] == [
        "1 packet",
        "solved: 3 packets",
    ]
    reports.append(scene.monitor.report)
    told = [name for before, after in pairwise(reports) for name, _ in events_since(after, before)]
    assert told == ["host-problem", "host-right"]


def test_counting_goes_on_where_a_table_is_made_anew_or_cannot_be_read() -> None:
    """What was counted before the start is no problem, but is told."""
    scene = Scene(PacketCounts(5, 100))
    scene.attend()
    assert scene.monitor.report == Report(counts=PacketCounts(5, 100))
    for counted, told in (
        (PacketCounts(5, 130), PacketCounts(5, 130)),
        (PacketCounts(0, 20), PacketCounts(5, 150)),
        (None, PacketCounts(5, 150)),
        (PacketCounts(0, 21), PacketCounts(5, 151)),
    ):
        scene.counted = counted
        scene.attend(after=COUNT_SECONDS)
        assert scene.monitor.report.counts == told
    assert scene.monitor.report.problems == ()
    scene.counted = PacketCounts(9, 30)
    scene.monitor.look(INSTALLED)  # at once
    assert scene.monitor.report.counts == PacketCounts(14, 160)
    (problem,) = scene.monitor.report.problems
    assert problem.what.startswith("9 packets ")


def test_before_it_begins_nothing_is_due() -> None:
    monitor = Monitor(Watch(), lambda: 0.0)  # type: ignore[arg-type]
    assert monitor.due() == math.inf
