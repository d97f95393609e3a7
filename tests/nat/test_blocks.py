"""Port blocks against lists and sets: cutting, granting in chains, and giving back."""

from collections import Counter
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

GAPPED = (*range(5136, 5152), *range(9232, 9248), 65534, 65535)
DENSE = tuple(range(1024, 1024 + 40))
HOSTS = 5


def blocks(
    engine: Engine,
    ports: tuple[tuple[int, ...], ...] = (DENSE, GAPPED),
    size: int = 8,
    hosts: int = HOSTS,
    key: int = 1,
) -> Any:
    generator = engine.modules["nat.tables.random_generator"].Generator(key, 2)
    return engine.modules["nat.allocation.port_blocks"].PortBlocks(ports, size, generator, hosts)


def chain(table: Any, host: int) -> list[int]:
    found = []
    block = table.first_of(host)
    while block:
        found.append(block)
        assert len(found) <= table.count, "the chain goes round"
        block = table.next_of(block)
    return found


@pytest.mark.parametrize("size", [1, 3, 8, 24, 34, 35, 40, 41])
def test_blocks_are_runs_of_the_permitted_ports_and_disjoint(engine: Engine, size: int) -> None:
    table = blocks(engine, size=size)
    of_block: dict[int, list[int]] = {}
    for external, permitted in enumerate((DENSE, GAPPED)):
        assert table.total(external) == table.free_blocks(external) == len(permitted) // size
        for port in range(1 << 16):
            if block := table.block_at(external, port):
                assert port in permitted
                assert table.external_of(block) == external
                of_block.setdefault(block, []).append(port)
    assert sorted(of_block) == list(range(1, table.count + 1))
    cut = [DENSE[k : k + size] for k in range(0, len(DENSE) - size + 1, size)]
    cut += [GAPPED[k : k + size] for k in range(0, len(GAPPED) - size + 1, size)]
    assert [tuple(of_block[block]) for block in sorted(of_block)] == cut
    for block, ports in of_block.items():
        assert (table.first_port(block), table.last_port(block)) == (ports[0], ports[-1])


def test_every_port_of_an_address_may_be_a_block_of_its_own(engine: Engine) -> None:
    table = blocks(engine, (DENSE, tuple(range(1, 65536))), size=1)
    assert table.total(1) == 65535
    assert table.count == 65535 + len(DENSE)
    for port in (1, 2, 65534, 65535):
        block = table.block_at(1, port)
        assert (table.external_of(block), table.first_port(block)) == (1, port)
    assert table.block_at(1, 65535) == table.count


STEPS = st.lists(
    st.tuples(st.sampled_from("ghd"), st.integers(1, HOSTS), st.integers(0, 9)), max_size=120
)


@examples(150)
@given(steps=STEPS)
def test_blocks_answer_like_lists_of_blocks(
    engine: Engine, steps: list[tuple[str, int, int]]
) -> None:
    """The model: each host's blocks in the order of their grant, and the mappings in each."""
    table = blocks(engine)
    owned: dict[int, list[int]] = {host: [] for host in range(1, HOSTS + 1)}
    held: Counter[int] = Counter()
    for step, host, which in steps:
        mine = owned[host]
        if step == "g":
            external = which % 2
            left = table.free_blocks(external)
            block = table.grant(host, external)
            assert (block != 0) == (left != 0)
            if block:
                assert table.external_of(block) == external
                assert not held[block]
                table.hold(block)
                held[block] = 1
                mine.append(block)
        elif mine:
            block = mine[which % len(mine)]
            if step == "h":
                table.hold(block)
                held[block] += 1
            else:
                table.drop(block)
                held[block] -= 1
                if not held[block]:
                    mine.remove(block)
        taken = {block: host for host, blocks in owned.items() for block in blocks}
        for known, expected in owned.items():
            assert chain(table, known) == expected
            assert table.granted(known) == len(expected)
        for block in range(1, table.count + 1):
            assert table.owner_of(block) == taken.get(block, 0)
        for external in (0, 1):
            free = [
                block
                for block in range(1, table.count + 1)
                if block not in taken and table.external_of(block) == external
            ]
            assert table.free_blocks(external) == len(free)


def test_a_chain_outlasts_every_order_of_giving_back(engine: Engine) -> None:
    """Two of a host's three blocks go, in any order, and come back at the end of its chain."""
    for gone in permutations(range(3), 2):
        table = blocks(engine, (DENSE[:24],))
        mine = []
        for _ in range(3):
            mine.append(table.grant(1, 0))
            table.hold(mine[-1])
        for at in gone:
            table.drop(mine[at])
        (kept,) = (block for at, block in enumerate(mine) if at not in gone)
        assert chain(table, 1) == [kept]
        again = [table.grant(1, 0) for _ in range(2)]
        assert chain(table, 1) == [kept, *again]
        assert {kept, *again} == set(mine)


def test_all_blocks_of_an_address_are_granted_once_and_then_none(engine: Engine) -> None:
    table = blocks(engine)
    for _turn in range(3):
        granted = [table.grant(1, 0) for _ in range(table.total(0))]
        assert sorted(granted) == [1, 2, 3, 4, 5]
        assert table.grant(2, 0) == 0
        assert table.granted(2) == table.first_of(2) == 0
        assert table.free_blocks(1) == table.total(1)
        for block in granted:
            table.hold(block)
            table.drop(block)
        assert table.free_blocks(0) == 5


def test_an_address_with_fewer_ports_than_a_block_has_none(engine: Engine) -> None:
    table = blocks(engine, ((1, 2, 3), DENSE), size=4)
    assert table.total(0) == table.grant(1, 0) == table.block_at(0, 1) == 0
    assert table.external_of(table.grant(1, 1)) == 1


def test_granted_blocks_are_roughly_uniform_and_follow_the_key(engine: Engine) -> None:
    """Chi squared of 4 degrees of freedom: below 18.5 in 999 of 1000 cases."""
    table = blocks(engine)
    drawn = []
    for _ in range(1000):
        drawn.append(table.grant(1, 0))
        table.hold(drawn[-1])
        table.drop(drawn[-1])
    counts = Counter(drawn)
    assert set(counts) == {1, 2, 3, 4, 5}
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 18.5
    others = blocks(engine, key=3)
    assert [others.grant(1, 0) for _ in range(5)] != drawn[:5]


def test_both_flavours_grant_the_same_blocks(engines: tuple[Engine, Engine]) -> None:
    first, second = (blocks(engine, (tuple(range(1, 60001)),), 100) for engine in engines)
    assert [first.grant(1, 0) for _ in range(600)] == [second.grant(1, 0) for _ in range(600)]


def test_no_block_is_held_and_dropped_without_a_trace(engine: Engine) -> None:
    """Number 0 stands for a port that is in no block."""
    table = blocks(engine)
    table.drop(0)
    table.hold(0)
    table.drop(0)
    assert table.free_blocks(0) == table.total(0)
    assert sorted(table.grant(1, 0) for _ in range(table.total(0))) == [1, 2, 3, 4, 5]
