"""Events on their way: text, listeners and what they ask for, the log's thread, what is lost."""

import json
import threading
from ipaddress import ip_address
from typing import Any

import pytest

from ratsnake.daemon.configuration.event_kinds import KIND_OF, KINDS, LOST
from ratsnake.daemon.configuration.option_parsing import EventOptions
from ratsnake.daemon.control.control_protocol import WATCHERS
from ratsnake.daemon.events.event_hub import WAITING, EventHub, Wanted, Watcher
from ratsnake.daemon.events.event_json import SHAPES, Clock
from ratsnake.daemon.events.event_outputs import Events
from ratsnake.daemon.events.log_writer import QUEUE, EventWriter
from ratsnake.nat.events import event_record as record
from ratsnake.nat.rules.drop_reasons import FILTERED, HOST_LIMIT
from ratsnake.nat.settings.address_realm import halves
from support.rig import until

PATIENCE = 20.0
ALL = frozenset(KINDS)
NOW = 7_000  # ms of the engine
WALL = 1_700_000_000.25  # 2023-11-14T22:13:20.250Z


def clock() -> Clock:
    return Clock(lambda: NOW, lambda: WALL)


def noted(kind: int, **fields: int) -> bytes:
    event = record.EventFields(time=NOW, kind=kind, protocol=1)
    for end, address in (("internal", "192.168.1.10"), ("external", "203.0.113.1")):
        high, low = halves(ip_address(address))
        setattr(event, f"{end}_high", high)
        setattr(event, f"{end}_low", low)
    event.internal_port, event.external_port = 4000, 10000
    event.remote_high, event.remote_low = halves(ip_address("2001:db8::9"))
    event.remote_port = 53
    for name, value in fields.items():
        setattr(event, name, value)
    return record.copied({0: event}, 0, 1)


class FakeNat:
    def __init__(self) -> None:
        self.wanted = 0
        self.waiting: list[tuple[bytes, int]] = []

    def listen(self, wanted: int) -> None:
        self.wanted = wanted

    def take_events(self, most: int) -> tuple[bytes, int]:
        return self.waiting.pop(0) if self.waiting else (b"", 0)


class Kept:
    """A listener that keeps everything."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.lines: list[bytes] = []

    def offer(self, lines: list[bytes]) -> None:
        self.lines += lines

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class Scene:
    def __init__(self) -> None:
        self.nat = FakeNat()
        self.hub = EventHub(self.nat, clock())

    def listener(self, *arguments: Any, **keywords: Any) -> Kept:
        kept = Kept(Wanted(*arguments, **keywords))
        self.hub.add(kept)
        return kept

    def happens(self, *events: bytes, lost: int = 0) -> None:
        self.nat.waiting.append((b"".join(events), lost))
        assert self.hub.pump() == bool(events)


@pytest.fixture
def scene() -> Scene:
    return Scene()


#: The kinds of what the engine does not tell.
DAEMON_KINDS = ("address", "host")


def test_every_kind_has_its_place() -> None:
    others = {name for name, kind in KIND_OF.items() if kind in DAEMON_KINDS}
    assert {name for name, _ in SHAPES.values()} | others == set(KIND_OF)
    assert set(KIND_OF.values()) == set(KINDS)
    assert LOST not in KIND_OF


def test_a_mapping_in_full(scene: Scene) -> None:
    kept = scene.listener(ALL, destinations=True)
    flags = record.HAS_REMOTE | record.HAS_REMOTE_PORT | record.HAS_DURATION
    counters = {"packets_out": 1, "bytes_out": 2, "packets_in": 3, "bytes_in": 4}
    scene.happens(noted(record.MAPPING_REMOVED, flags=flags, duration=1500, **counters))
    assert kept.events() == [
        {
            "time": "2023-11-14T22:13:20.250Z",
            "monotonic_ms": NOW,
            "event": "mapping-removed",
            "protocol": "udp",
            "internal": "192.168.1.10",
            "internal_port": 4000,
            "external": "203.0.113.1",
            "external_port": 10000,
            "remote": "2001:db8::9",
            "remote_port": 53,
            "static": False,
            "duration": 1.5,
            **counters,
        }
    ]


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_no_remote_is_told_unless_asked(scene: Scene, kind: int) -> None:
    without = scene.listener(ALL)
    together = scene.listener(ALL, destinations=True)
    flags = record.HAS_REMOTE | record.HAS_REMOTE_PORT
    scene.happens(noted(kind, flags=flags, reason=FILTERED))
    (event,) = without.events()
    assert not {"remote", "remote_port"} & set(event)
    assert b"2001:db8::9" not in b"".join(without.lines)
    (whole,) = together.events()
    assert {name: value for name, value in whole.items() if name in event} == event


def test_a_refusal_tells_the_end_that_is_known(scene: Scene) -> None:
    kept = scene.listener(ALL, destinations=True)
    ports = record.HAS_REMOTE | record.HAS_REMOTE_PORT
    nothing = {"internal_high": 0, "internal_low": 0}
    scene.happens(
        noted(record.REFUSAL, flags=ports, reason=FILTERED, **nothing),
        noted(record.REFUSAL, flags=record.HAS_REMOTE, reason=FILTERED, **nothing),
        noted(record.REFUSAL, reason=FILTERED, protocol=record.NO_PROTOCOL, **nothing),
        noted(record.LIMIT, flags=ports | record.OUTBOUND, reason=HOST_LIMIT),
    )
    inbound, later, unknown, limit = kept.events()
    assert (inbound["reason"], inbound["direction"]) == ("filtered", "inbound")
    assert (inbound["internal"], inbound["internal_port"]) == (None, None)
    assert (inbound["external"], inbound["external_port"]) == ("203.0.113.1", 10000)
    assert (later["external"], later["external_port"]) == ("203.0.113.1", None)
    assert (unknown["protocol"], unknown["direction"], unknown["remote"]) == (None, None, None)
    assert (limit["event"], limit["reason"], limit["internal"]) == (
        "limit",
        "host-limit",
        "192.168.1.10",
    )


def test_the_engine_notes_what_all_ask_for_together(scene: Scene) -> None:
    assert scene.nat.wanted == 0
    one = scene.listener(frozenset(("mapping", "address")))
    other = scene.listener(frozenset(("mapping", "refusal")))
    assert scene.nat.wanted == record.MAPPINGS_WANTED | record.REFUSALS_WANTED
    scene.hub.remove(other)
    assert scene.nat.wanted == record.MAPPINGS_WANTED
    scene.hub.remove(one)
    assert scene.nat.wanted == 0


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"kinds": frozenset(("mapping",))}, ["mapping-made"]),
        ({"kinds": ALL, "protocol": "tcp"}, []),
        ({"kinds": ALL, "protocol": "udp"}, ["mapping-made", "refusal"]),
        ({"kinds": ALL, "host": "192.168.1.10"}, ["mapping-made", "refusal"]),
        ({"kinds": ALL, "host": "192.168.1.11"}, []),
    ],
)
def test_a_listener_gets_what_it_asks_for(
    scene: Scene, asked: dict[str, Any], told: list[str]
) -> None:
    kept = scene.listener(**asked)
    scene.listener(ALL)
    scene.happens(noted(record.MAPPING_MADE), noted(record.REFUSAL, reason=FILTERED))
    assert [event["event"] for event in kept.events()] == told


def test_what_the_engine_lost_is_told_to_all(scene: Scene) -> None:
    kept = scene.listener(frozenset(("session",)), host="192.168.1.11")
    scene.happens(noted(record.MAPPING_MADE), lost=3)
    (event,) = kept.events()
    assert (event["event"], event["events"]) == ("lost", 3)


def test_the_daemons_own_events(scene: Scene) -> None:
    scene.hub.tell("address", old="203.0.113.1", new="203.0.113.2")
    kept = scene.listener(ALL)
    scene.hub.tell("address", old="203.0.113.2", new="203.0.113.3")
    scene.hub.pump()
    (event,) = kept.events()
    assert (event["event"], event["old"], event["new"]) == ("address", "203.0.113.2", "203.0.113.3")


def test_a_slow_watcher_is_told_what_it_missed(scene: Scene) -> None:
    watcher = Watcher(Wanted(ALL), scene.hub, clock())
    woken: list[None] = []
    watcher.wake = lambda: woken.append(None)
    for _ in range(WAITING + 5):
        scene.happens(noted(record.MAPPING_MADE))
    assert len(woken) == WAITING + 5
    *events, last = watcher.take().splitlines()
    assert len(events) == WAITING
    assert (json.loads(last)["event"], json.loads(last)["events"]) == ("lost", 5)
    assert watcher.take() == b""
    scene.happens(noted(record.MAPPING_MADE))
    assert len(watcher.take().splitlines()) == 1
    watcher.close()
    assert not scene.hub.listeners


class FakeSink:
    """Waits before every write until it is let go, and fails as long as it is told to."""

    name = "fake"

    def __init__(self, stalls: bool = False) -> None:
        self.lines: list[bytes] = []
        self.stalls = stalls
        self.error: OSError | None = None
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.closed = False

    def write(self, lines: list[bytes]) -> None:
        self.entered.release()
        if self.stalls:
            assert self.go.acquire(timeout=PATIENCE)
        if self.error:
            raise self.error
        self.lines += lines

    def close(self) -> None:
        self.closed = True


def batch(number: int) -> list[bytes]:
    return [b'{"n":%d}\n' % number] * 2


def test_the_log_gets_everything_in_order() -> None:
    sink = FakeSink()
    writer = EventWriter(sink, Wanted(ALL), clock())
    for number in range(QUEUE):
        writer.offer(batch(number))
    writer.close()
    assert sink.closed
    assert sink.lines == [line for number in range(QUEUE) for line in batch(number)]


def test_a_sink_that_stalls_costs_events_and_nothing_else() -> None:
    sink = FakeSink(stalls=True)
    writer = EventWriter(sink, Wanted(ALL), clock())
    writer.offer(batch(0))
    assert sink.entered.acquire(timeout=PATIENCE)
    for number in range(QUEUE + 3):
        writer.offer(batch(number + 1))
    for _ in range(QUEUE + 1):
        sink.go.release()
    writer.close()
    told = [json.loads(line) for line in sink.lines]
    assert [event["events"] for event in told if event.get("event") == LOST] == [6]
    assert sum("n" in event for event in told) == 2 * (QUEUE + 1)


def test_a_sink_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    sink = FakeSink()
    sink.error = OSError(28, "No space left on device")
    writer = EventWriter(sink, Wanted(ALL), clock())
    for _ in range(3):
        writer.offer(batch(0))
    for _ in range(3):
        assert sink.entered.acquire(timeout=PATIENCE)
    until(lambda: len(caplog.records) == 1)
    sink.error = None
    writer.offer(batch(1))
    writer.close()
    assert json.loads(sink.lines[0])["events"] == 6
    assert sink.lines[1:] == batch(1)
    assert [record.getMessage() for record in caplog.records] == [
        "events: fake: No space left on device"
    ]


def started(nat: FakeNat, sink: FakeSink | None = None) -> Events:
    options = EventOptions("fake", frozenset(("mapping",)), False)
    return Events(nat, options, sink, lambda: NOW, lambda: WALL)


def test_nobody_listens_nothing_is_due() -> None:
    events = started(FakeNat())
    assert events.due == float("inf")
    watcher = events.watch({})
    assert events.due < float("inf")
    watcher.close()
    assert events.due == float("inf")
    events.close()


def test_what_happened_last_is_still_written() -> None:
    nat, sink = FakeNat(), FakeSink()
    events = started(nat, sink)
    nat.waiting = [(noted(record.MAPPING_MADE), 0)] * 3
    events.close()
    assert len(sink.lines) == 3 and sink.closed


def logging(*kinds: str, sink: str | None = "fake") -> EventOptions:
    return EventOptions(sink, frozenset(kinds), False)


def test_the_log_may_have_other_kinds_from_now_on() -> None:
    """What happened before is logged as it was asked for then."""
    nat, sink = FakeNat(), FakeSink()
    events = started(nat, sink)
    nat.waiting = [(noted(record.MAPPING_MADE) + noted(record.SESSION_OPENED), 0)]
    events.change(logging("session"), None)
    assert nat.wanted == record.SESSIONS_WANTED
    nat.waiting = [(noted(record.MAPPING_MADE) + noted(record.SESSION_OPENED), 0)]
    events.close()
    told = [json.loads(line)["event"] for line in sink.lines]
    assert told == ["mapping-made", "session-opened"]


def test_the_log_may_go_elsewhere_end_and_begin() -> None:
    nat, first, second = FakeNat(), FakeSink(), FakeSink()
    events = started(nat, first)
    nat.waiting = [(noted(record.MAPPING_MADE), 0)]
    events.change(logging("mapping", sink="other"), second)
    assert first.closed and len(first.lines) == 1
    events.change(logging("mapping", sink=None), None)
    assert second.closed and second.lines == []
    assert (nat.wanted, events.due) == (0, float("inf"))
    third = FakeSink()
    events.change(logging("mapping"), third)
    nat.waiting = [(noted(record.MAPPING_MADE), 0)]
    events.close()
    assert third.closed and len(third.lines) == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kinds": ["flows"]}, "kinds: must be a list of mapping, session,"),
        ({"kinds": "mapping"}, "kinds: must be"),
        ({"kinds": [["mapping"]]}, "kinds: must be"),
        ({"protocol": "gre"}, "protocol: must be one of tcp,"),
        ({"host": "nobody"}, "host nobody: must be an inside address"),
    ],
)
def test_bad_questions_are_told(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        started(FakeNat()).watch(request_)


def test_watchers_are_bounded() -> None:
    events = started(FakeNat())
    watchers = [events.watch({"host": "2001:DB8::0:1"}) for _ in range(WATCHERS)]
    assert watchers[0].wanted.host == "2001:db8::1"
    with pytest.raises(ValueError, match="watching already"):
        events.watch({})
    watchers[0].close()
    events.watch({})
