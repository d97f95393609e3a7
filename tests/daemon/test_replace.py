"""A NAT that takes the place of another while its packet loop runs; what becomes of its flows is
tests/nat/test_flow_transfer.py's."""

import gc
import time
from typing import Any

from ratsnake.daemon.events.event_json import Clock, read
from ratsnake.daemon.views.busiest_hosts import Busiest
from ratsnake.daemon.views.explain_response import Explainer
from ratsnake.nat.events.event_record import MAPPINGS_WANTED
from support.bench import R1, R2, SEED, settings
from support.flavours import Engine, load
from support.packets import seen, udp
from support.rig import HOST, Rig, flood, running, until


def now() -> int:
    """The packet loop's clock."""
    return time.monotonic_ns() // 1_000_000


def successor(engine: Engine, *arguments: Any, **keywords: Any) -> Any:
    return engine.Nat(settings(engine, *arguments, **keywords), SEED)


def replace(rig: Rig, nat: Any) -> Any:
    """The test's NAT is then the new one."""
    moved = rig.live.replace(nat, now)
    rig.nat = nat
    return moved


def test_a_flow_goes_on_by_the_new_nat(engine: Engine) -> None:
    with running(engine) as rig:
        before = seen(rig.exchange(udp(HOST, (R1, 53)))).source
        moved = replace(rig, successor(engine, "symmetric", timeouts={"udp": 7}))
        assert (moved.kept, moved.ended) == (1, 0)
        assert seen(rig.exchange(udp(HOST, (R1, 53)))).source == before
        assert seen(rig.exchange(udp((R1, 53), before))).destination == HOST
        (session,), _ = rig.live.session_rows(0, 100, now())
        assert (session.external_port, session.packets_out, session.packets_in) == (before[1], 2, 1)
        assert session.expires <= 7
        assert rig.live.totals().counters()["outbound"]["packets"] == 2


def test_a_flow_ends_where_there_is_no_place_for_it(engine: Engine) -> None:
    with running(engine) as rig:
        before = seen(rig.exchange(udp(HOST, (R1, 53)))).source
        moved = replace(rig, successor(engine, ports="30000-30009"))
        assert (moved.kept, moved.ended) == (0, 1)
        rig.peer.send(udp((R1, 53), before))
        assert seen(rig.exchange(udp(HOST, (R1, 53)))).source[1] in range(30000, 30010)
        assert sum(rig.dropped().values()) == 1


def test_packets_that_never_cease_do_not_keep_a_nat_from_being_replaced(engine: Engine) -> None:
    with running(engine) as rig, flood(rig):
        until(lambda: rig.live.totals().counters()["outbound"]["packets"] > 0)
        for number in range(20):
            moved = replace(rig, successor(engine, timeouts={"udp": 100 + number}))
            assert (moved.kept, moved.ended) == (1, 0)
        seen_before = rig.live.totals().counters()["outbound"]["packets"]
        until(lambda: rig.live.totals().counters()["outbound"]["packets"] > seen_before)
        assert rig.live.generation == 20


def test_who_listens_hears_of_both_nats(engine: Engine) -> None:
    with running(engine) as rig:
        rig.live.listen(MAPPINGS_WANTED)
        rig.exchange(udp(HOST, (R1, 53)))
        replace(rig, successor(engine, ports="30000-30009"))
        rig.exchange(udp(HOST, (R2, 53)))
        raw, lost = rig.live.take_events(100)
        told = [event["event"] for event in read(raw, Clock(now, time.time))]
        assert (told, lost) == (["mapping-made", "mapping-removed", "mapping-made"], 0)


def test_what_is_explained_and_looked_at_is_the_new_nat(engine: Engine) -> None:
    question = {"source": HOST[0], "source_port": HOST[1], "destination": R1, "protocol": "udp"}
    with running(engine) as rig:
        explainer = Explainer(rig.live, rig.packet_loop.locked, now)
        busiest = Busiest(rig.live, now)
        rig.exchange(udp(HOST, (R1, 53)))
        replace(rig, successor(engine, ports="30000-30009"))
        busiest.forget_all()
        ((said,),) = explainer.answer({**question, "destination_port": 53})
        assert said["mapping"] == "new"
        assert list(busiest.answer({"command": "hosts"}))[-1] == []


def test_the_old_nat_goes_with_its_memory() -> None:
    """Of all that hold it: packet loop, live NAT, and who looked."""
    engine = load("interpreted")
    of_other_tests = nats(engine)
    with running(engine) as rig:
        rig.exchange(udp(HOST, (R1, 53)))
        replace(rig, successor(engine))
        assert [one for one in nats(engine) if one not in of_other_tests] == [rig.nat]


def nats(engine: Engine) -> list[object]:
    """All that are still there."""
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is engine.Nat]
