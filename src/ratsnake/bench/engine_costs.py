"""What a packet of an established session costs, and what a new session and its end do."""

from dataclasses import dataclass
from statistics import median

from ratsnake.wire.packet_fields import TCP, UDP

from .engine_load import Load, RefusedError
from .engine_nat import make_nat

NAMES = {TCP: "tcp", UDP: "udp"}
UDP_EXPIRY = 301_000  # milliseconds: the default timeout, and a second
RENEWED = 20_000
ROUNDS = 5


@dataclass(frozen=True)
class PacketCost:
    """Nanoseconds a packet with so many established sessions; `ratio` to the smallest table."""

    protocol: str
    order: str
    sessions: int
    nanoseconds: float
    ratio: float


@dataclass(frozen=True)
class SessionCost:
    """Nanoseconds for a new UDP mapping with its session, beside so many others, and for its end.

    `ratio` is that of a new session to a packet of an established one, in random order.
    `growing` is what a session cost while the tables grew to this size for the first time.
    """

    sessions: int
    opening: float
    ratio: float
    expiring: float
    growing: float


def opened(protocol: int, sessions: int) -> tuple[Load, float]:
    """A NAT with so many sessions, and the nanoseconds each took while the tables grew."""
    load = Load(make_nat(), protocol, sessions)
    spent = load.open(0, sessions)
    load.check()
    return load, spent / sessions


def packet_costs(protocol: int, loads: dict[int, Load], packets: int) -> list[PacketCost]:
    """Of `packets` packets each, in rounds over all tables, so that the machine's moods hit all."""
    costs = []
    for order in ("random", "in turn"):
        spent: dict[int, list[float]] = {sessions: [] for sessions in loads}
        for _ in range(ROUNDS):
            for sessions, load in loads.items():
                took = load.exchange(sessions, packets, order == "in turn")
                spent[sessions].append(took / packets)
                load.check()
        middle = {sessions: median(took) for sessions, took in spent.items()}
        least = middle[min(middle)]
        costs += [
            PacketCost(NAMES[protocol], order, sessions, cost, cost / least)
            for sessions, cost in middle.items()
        ]
    return costs


def renew(load: Load, sessions: int, times: int = RENEWED) -> tuple[float, float]:
    """Let sessions end and open them again: nanoseconds for a new one, and for an end.

    However small the table, so many times in all.
    """
    renewed = min(sessions // 2, times)
    turns = [_renew_once(load, sessions, renewed) for _ in range(times // renewed)]
    opening, expiring = (sum(column) for column in zip(*turns, strict=True))
    load.check()
    return opening / renewed / len(turns), expiring / renewed / len(turns)


def _renew_once(load: Load, sessions: int, renewed: int) -> tuple[int, int]:
    """The sessions come from all over the tables."""
    step = sessions // renewed
    load.wait(UDP_EXPIRY - 100_000)
    for first in range(1, step):
        load.open(first, renewed, step)
    load.wait(100_000)
    expiring = load.sweep()
    left = load.nat.usage()["sessions"]
    if left != sessions - renewed:
        raise RefusedError(f"{left} of {sessions} sessions are left; right are all but {renewed}")
    return load.open(0, renewed, step), expiring


def session_costs(
    loads: dict[int, Load], growing: dict[int, float], packets: list[PacketCost]
) -> list[SessionCost]:
    """`packets` has what a packet of an established session costs in the same tables."""
    established = {
        cost.sessions: cost.nanoseconds
        for cost in packets
        if (cost.protocol, cost.order) == ("udp", "random")
    }
    costs = []
    for sessions, load in loads.items():
        renew(load, sessions)  # until all of the memory that it takes has been touched
        rounds = [renew(load, sessions) for _ in range(ROUNDS)]
        opening, expiring = (median(column) for column in zip(*rounds, strict=True))
        costs.append(
            SessionCost(
                sessions, opening, opening / established[sessions], expiring, growing[sessions]
            )
        )
    return costs
