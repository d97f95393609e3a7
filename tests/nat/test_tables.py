"""The engine's data structures against plain Python ones: index, counters, sticky ports."""

from collections import Counter, OrderedDict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine, load
from support.properties import examples

WORDS = tuple(0x9E3779B97F4A7C15 * n % (1 << 64) for n in range(1, 9))
NONE32 = 0xFFFFFFFF
# Few home slots, next to each other and round the end, so that clusters meet and wrap.
HOMES = (0, 1, 2, 13, 14, 15, 16, 61, 62, 63, 64, 127, 0xFFFFFFFE, 0xFFFFFFFF, 0x80000000)
TAGS = st.sampled_from(HOMES)


class Indexed:
    """An index with its owner's part: who knows the tag of every row."""

    def __init__(self, engine: Engine, rows: int) -> None:
        self.index = engine.modules["nat.tables.hash_index"].Index(rows)
        self.tags: dict[int, int] = {}

    def insert(self, tag: int, row: int) -> int:
        """How many entries moved with it."""
        self.tags[row] = tag
        self.index.insert(tag, row)
        moved = 0
        while row := self.index.moving():
            self.index.move(self.tags[row], row)
            moved += 1
        return moved

    def remove(self, row: int) -> None:
        self.index.remove(self.tags.pop(row), row)

    def walk(self, tag: int) -> list[int]:
        """The rows a look-up of this tag meets; others only where too little of a tag is kept."""
        rows = []
        row = self.index.first(tag)
        while row:
            rows.append(row)
            row = self.index.next()
        return rows

    def check(self, tags: set[int]) -> None:
        for tag in tags:
            met = self.walk(tag)
            assert len(set(met)) == len(met)
            assert {row for row, known in self.tags.items() if known == tag} <= set(met)
        assert self.index.count == len(self.tags)


@examples(200)
@given(st.lists(st.tuples(TAGS, st.integers(1, 300)), max_size=400))
def test_an_index_finds_what_was_inserted_and_not_removed(
    engine: Engine, steps: list[tuple[int, int]]
) -> None:
    indexed = Indexed(engine, 300)
    for tag, row in steps:
        if row in indexed.tags:
            indexed.remove(row)
        else:
            indexed.insert(tag, row)
    indexed.check(set(HOMES))
    for row in tuple(indexed.tags):
        indexed.remove(row)
    assert not any(indexed.walk(tag) for tag in HOMES)


@pytest.mark.parametrize("seed", range(8))
def test_an_index_keeps_all_entries_while_it_grows(engine: Engine, seed: int) -> None:
    """Removals fall into every stage of a move, from either array."""
    random = Random(seed)
    indexed = Indexed(engine, 2000)
    for row in range(1, 2001):
        indexed.insert(random.getrandbits(32), row)
        if random.random() < 0.3:
            indexed.remove(random.choice(list(indexed.tags)))
        if row % 50 == 0:
            indexed.check(set(indexed.tags.values()))


def test_an_index_moves_at_most_eight_entries_at_an_insertion(engine: Engine) -> None:
    indexed = Indexed(engine, 5000)
    moved = [indexed.insert(row * 0x9E3779B1 & 0xFFFFFFFF, row) for row in range(1, 5001)]
    assert max(moved) == 8
    assert sum(moved) > 3000  # each doubling moves what is there


def test_an_index_that_is_full_goes_on_for_ever(engine: Engine) -> None:
    """Tombstones are cleared away by moves at the same size, again and again."""
    indexed = Indexed(engine, 256)
    random = Random(1)
    for row in range(1, 257):
        indexed.insert(random.getrandbits(32), row)
    for _ in range(3000):
        row = random.randint(1, 256)
        indexed.remove(row)
        indexed.insert(random.getrandbits(32), row)
    indexed.check(set(indexed.tags.values()))


def test_an_index_starts_small_and_ends_at_most_half_full() -> None:
    """On the source only: the compiled slots are not visible from Python."""
    engine = load("interpreted")
    indexed = Indexed(engine, 1000)
    assert len(indexed.index.slots) == 64
    for row in range(1, 1001):
        indexed.insert(row * 0x9E3779B1 & 0xFFFFFFFF, row)
        assert indexed.index.used * 4 <= len(indexed.index.slots) * 3
    assert len(indexed.index.slots) == 2048


OWNERS = st.tuples(st.integers(1, 3), st.sampled_from([0, 1, NONE32]), st.sampled_from([0, 65535]))
ADDRESSES = st.tuples(st.integers(0, 1), st.sampled_from([0, (1 << 64) - 1]))


@examples(100)
@given(steps=st.lists(st.tuples(st.booleans(), OWNERS, ADDRESSES), max_size=120))
def test_a_counter_table_counts_like_a_counter(
    engine: Engine, steps: list[tuple[bool, tuple[int, ...], tuple[int, int]]]
) -> None:
    modules = engine.modules
    owner_of = modules["nat.allocation.counter_table"].owner_of
    counters = modules["nat.allocation.counter_table"].CounterTable(
        72, modules["nat.tables.hash_secret"].Secret(WORDS)
    )
    model: Counter[tuple[int, ...]] = Counter()
    for more, owner, address in steps:
        if more:
            counters.add(owner_of(*owner), *address)
            model[owner + address] += 1
        elif model[owner + address]:
            counters.remove(owner_of(*owner), *address)
            model[owner + address] -= 1
    for _, owner, address in steps:
        assert counters.get(owner_of(*owner), *address) == model[owner + address]


@examples(100)
@given(
    steps=st.lists(
        st.tuples(OWNERS, st.sampled_from([0, 1, 1024, 2047]), st.sampled_from([0, 1, 63])),
        max_size=120,
    )
)
def test_a_counter_table_has_bits_and_forgets_numbers_without_any(
    engine: Engine, steps: list[tuple[tuple[int, ...], int, int]]
) -> None:
    """Each owner's parts are apart from each other and from other owners'."""
    modules = engine.modules
    counters = modules["nat.allocation.counter_table"].CounterTable(
        72, modules["nat.tables.hash_secret"].Secret(WORDS)
    )
    model: Counter[int] = Counter()
    for owner, part, bit in steps:
        key = modules["nat.allocation.counter_table"].owner_of(*owner) + part
        if model[key] >> bit & 1:
            assert counters.clear_bit(key, 0, 0, bit) == model[key]
            model[key] ^= 1 << bit
        else:
            model[key] |= 1 << bit
            assert counters.set_bit(key, 0, 0, bit) == model[key]
        assert all(counters.get(key, 0, 0) == number for key, number in model.items())
    if engine is load("interpreted"):
        assert counters.index.count == len(+model)


def test_a_full_counter_table_has_room_again_for_each_count_that_ended(engine: Engine) -> None:
    modules = engine.modules
    counters = modules["nat.allocation.counter_table"].CounterTable(
        8, modules["nat.tables.hash_secret"].Secret(WORDS)
    )
    for turn in range(20):
        keys = [(turn << 11 | port, 0, 0) for port in range(8)]
        for key in keys:
            counters.add(*key)
        assert all(counters.get(*key) == 1 for key in keys)
        for key in keys:
            counters.remove(*key)
        assert not any(counters.get(*key) for key in keys)


def test_a_counter_table_uses_rows_again_instead_of_new_ones() -> None:
    """On the source, whose rows cannot be overrun; the compiled ones could."""
    modules = load("interpreted").modules
    counters = modules["nat.allocation.counter_table"].CounterTable(
        8, modules["nat.tables.hash_secret"].Secret(WORDS)
    )
    for turn in range(20):
        for way in (counters.add, counters.remove):
            for port in range(8):
                way(turn << 11 | port, 0, 0)
    assert counters.fresh <= counters.capacity + 1


STEPS = st.lists(st.tuples(st.sampled_from("edh"), st.integers(0, 11)), max_size=150)


@examples(100)
@given(steps=STEPS)
def test_endpoint_memory_forgets_the_longest_unused_and_never_one_in_use(
    engine: Engine, steps: list[tuple[str, int]]
) -> None:
    """The model: who is in use, and an ordered dictionary of the unused."""
    modules = engine.modules
    memory = modules["nat.allocation.sticky_ports"].StickyPorts(
        5, modules["nat.tables.hash_secret"].Secret(WORDS)
    )
    used: Counter[int] = Counter()
    last: OrderedDict[int, tuple[int, int]] = OrderedDict()
    rows: dict[int, int] = {}
    for turn, (step, who) in enumerate(steps):
        if step == "d" and used[who]:
            memory.drop(rows[who])
            used[who] -= 1
            if not used[who]:
                last.move_to_end(who)
        elif step != "d" and (step == "e" or used.total() < 5):
            if who not in last and len(last) == 6:
                del last[next(known for known in last if not used[known])]
            last.setdefault(who, (NONE32, NONE32))
            rows[who] = memory.enter(1, 0, 100, who)
            if step == "h":
                memory.hold(rows[who], turn % 3, turn)
                used[who] += 1
                last[who] = turn % 3, turn
        for known, endpoint in last.items():
            row = memory.enter(1, 0, 100, known)
            assert (memory.last_external(row), memory.last_port(row)) == endpoint
            assert memory.mappings_of(row) == used[known]
    assert len({rows[who] for who in last}) == len(last) <= 6


def test_endpoints_differ_by_protocol_address_and_port(engine: Engine) -> None:
    modules = engine.modules
    memory = modules["nat.allocation.sticky_ports"].StickyPorts(
        9, modules["nat.tables.hash_secret"].Secret(WORDS)
    )
    keys = [(p, h, a, n) for p in (0, 1) for h in (0, 1) for a in (7, 8) for n in (0,)] + [
        (0, 0, 7, 65535)
    ]
    rows = [memory.enter(*key) for key in keys]
    assert len(set(rows)) == len(keys)
    assert [memory.enter(*key) for key in keys] == rows
