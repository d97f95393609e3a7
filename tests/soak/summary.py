"""What a soak has seen, as lines for people; and what of it is a failure."""

from __future__ import annotations

from collections.abc import Iterator

from soak.run import Event, Seen

_MEGABYTE = 1000  # in kB


def failures(seen: Seen) -> list[str]:
    found = [
        f"{name} flow ended after {at:.0f} s: {why}"
        for name, record in seen.flows.items()
        for at, why in record.ended
    ]
    found += [
        f"the NAT ended by itself after {end.at:.0f} s with status {end.status}: {end.last}"
        for end in seen.ends
        if not _explained(end.at, seen)
    ]
    found += [
        f"no answer any more after {event.name} at {event.at:.0f} s"
        for event in seen.events
        if event.silent is None
    ]
    if seen.leaked:
        found.append(f"{seen.leaked} packets left the router with a LAN source")
    if seen.status != 0:
        found.append(f"it ended with status {seen.status} after SIGTERM")
    return found


def _explained(at: float, seen: Seen) -> bool:
    """Whether somebody had killed one of its processes."""
    return any(
        event.name.startswith("kill") and event.at <= at < event.at + 100 for event in seen.events
    )


def lines(seen: Seen) -> Iterator[str]:
    inside, outside = seen.sent
    yield (
        f"{seen.seconds:.0f} s, seed {seen.plan.seed}: {len(seen.events)} disturbances,"
        f" {seen.reloads} reloads, {inside} flood packets from inside, {outside} from outside"
    )
    yield ""
    yield f"{'disturbance':32} {'times':>5} {'silent: median':>15} {'longest':>8} {'leaked':>7}"
    for name in sorted({event.name for event in seen.events}):
        yield _row(name, [event for event in seen.events if event.name == name])
    yield ""
    for name, record in seen.flows.items():
        yield (
            f"{name}: {record.answered} answered, {record.lost} lost, longest silence"
            f" {record.longest:.1f} s, ended {len(record.ended)} times"
        )
    yield f"the NAT ended by itself {len(seen.ends)} times"
    for process, seconds, first, last in seen.memory.growth():
        yield (
            f"process {process}, {seconds:.0f} s: {first / _MEGABYTE:.1f} MB at first,"
            f" {last / _MEGABYTE:.1f} MB at the end"
        )
    yield ""
    found = failures(seen)
    yield from found or ["nothing failed"]


def _row(name: str, events: list[Event]) -> str:
    silent = sorted(event.silent for event in events if event.silent is not None)
    median = f"{silent[len(silent) // 2]:.1f} s" if silent else "for good"
    longest = f"{silent[-1]:.1f} s" if len(silent) == len(events) else "for good"
    leaked = sum(event.leaked for event in events)
    return f"{name:32} {len(events):5} {median:>15} {longest:>8} {leaked:7}"
