"""The table of fragmented datagrams against two ordered dictionaries, step by step."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

WORDS = tuple(0x9E3779B97F4A7C15 * n % (1 << 64) for n in range(1, 9))
WAITING, KNOWN, REFUSED = 1, 2, 3
LIFETIME = 100
DATAGRAMS, WAITERS = 12, 3
PACKETS, OCTETS = 6, 100


@dataclass
class Datagram:
    row: int
    expires: int
    state: int = WAITING
    held: list[bytes] = field(default_factory=list)
    translation: tuple[int, ...] = (0,) * 6


class Model:
    """What the table should remember, by identification."""

    def __init__(self) -> None:
        self.unlearnt: OrderedDict[int, Datagram] = OrderedDict()
        self.learnt: OrderedDict[int, Datagram] = OrderedDict()

    def find(self, n: int, now: int) -> Datagram | None:
        ring = self.learnt if n in self.learnt else self.unlearnt
        if n in ring and ring[n].expires <= now:
            del ring[n]
        return ring.get(n)

    def make(self, n: int, row: int, now: int) -> None:
        if len(self.unlearnt) == WAITERS:
            self.unlearnt.popitem(last=False)
        self.unlearnt[n] = Datagram(row, now + LIFETIME)

    def learn(self, n: int, translation: tuple[int, ...]) -> None:
        if len(self.learnt) == DATAGRAMS - WAITERS:
            self.learnt.popitem(last=False)
        self.learnt[n] = self.unlearnt.pop(n)
        self.learnt[n].state = KNOWN
        self.learnt[n].translation = translation

    def end(self, n: int) -> None:
        (self.learnt if n in self.learnt else self.unlearnt).pop(n)

    def held(self) -> list[bytes]:
        every = [*self.unlearnt.values(), *self.learnt.values()]
        return [packet for datagram in every for packet in datagram.held]

    def hold(self, n: int, packet: bytes) -> bool:
        while len(self.held()) == PACKETS or len(b"".join(self.held())) + len(packet) > OCTETS:
            oldest = next(iter(self.unlearnt))
            if oldest == n:
                return False
            del self.unlearnt[oldest]
        self.unlearnt[n].held.append(packet)
        return True

    def expire(self, now: int, budget: int) -> int:
        ended = 0
        for ring in (self.unlearnt, self.learnt):
            while ring and ended < budget and next(iter(ring.values())).expires <= now:
                ring.popitem(last=False)
                ended += 1
        return ended


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["see", "see", "hold", "hold", "learn", "learn", "refuse", "take", "end"])
        | st.sampled_from(["expire", "wait"]),
        st.integers(0, 19),
        st.integers(1, 60),
    ),
    max_size=150,
)


@examples(150)
@given(steps=STEPS)
def test_the_table_answers_like_its_model(
    engine: Engine, steps: list[tuple[str, int, int]]
) -> None:
    modules = engine.modules
    packet_pool = modules["nat.packets.packet_pool"].PacketPool(PACKETS, OCTETS)
    secret = modules["nat.tables.hash_secret"].Secret(WORDS)
    table: Any = modules["nat.packets.fragment_tracking"].Fragments(
        DATAGRAMS, packet_pool, secret, LIFETIME
    )
    model, now, buffer = Model(), 0, bytearray(65535)

    def key(n: int) -> tuple[int, ...]:
        return n % 2, n % 3, 0, 0, 4, 17, n

    for turn, (step, n, size) in enumerate(steps):
        if step == "wait":
            now += size
        elif step == "expire":
            assert table.expire(now, n) == model.expire(now, n)
        else:
            datagram = model.find(n, now)
            row = table.find(*key(n), now)
            assert row == (datagram.row if datagram else 0)
            if datagram is None:
                row = table.make(*key(n), now)
                model.make(n, row, now)
                datagram = model.unlearnt[n]
            if step == "hold" and datagram.state == WAITING:
                packet = bytes([turn]) * size
                assert table.hold(row, bytearray(packet), size) == model.hold(n, packet)
            elif step == "learn" and datagram.state == WAITING:
                translation = size, turn, n, size + 1, turn + 1, n + 1
                table.learn(row, *translation)
                model.learn(n, translation)
            elif step == "refuse":
                table.refuse(row)
                datagram.state = REFUSED
                datagram.held.clear()
            elif step == "take":
                slot = table.next_held(row)
                taken = bytes(buffer[: packet_pool.copy_out(slot, buffer)]) if slot else None
                assert taken == (datagram.held.pop(0) if datagram.held else None)
                if slot:
                    packet_pool.drop(slot)
            elif step == "end":
                table.end(row)
                model.end(n)
        every = [*model.unlearnt.values(), *model.learnt.values()]
        assert len({datagram.row for datagram in every}) == len(every) == table.count
        assert len(model.unlearnt) == table.unlearnt
        assert sum(datagram.state == WAITING for datagram in every) == table.waiting
        assert [table.state_of(datagram.row) for datagram in every] == [d.state for d in every]
        assert packet_pool.count == len(model.held())
        assert packet_pool.octets == len(b"".join(model.held()))
        for datagram in model.learnt.values():
            assert datagram.translation == (
                table.outbound_of(datagram.row),
                table.source_high(datagram.row),
                table.source_low(datagram.row),
                table.destination_high(datagram.row),
                table.destination_low(datagram.row),
                table.identification_of(datagram.row),
            )
