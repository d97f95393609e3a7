"""Now and then another NAT with the same settings takes over; the model, and so the hosts on either
side, must not notice.

What is compared is told in test_against_model.py.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.pair import PROTOCOLS, Pair, Pick
from model.test_against_model import COMBINATIONS, LIMITS, STEPS, WAYS, agree
from support.flavours import Engine, load
from support.properties import examples

EACH_COMBINATION = pytest.mark.parametrize("combination", COMBINATIONS)
STEP = st.tuples(st.sampled_from((*STEPS, "hand_over")), st.integers(0, 1 << 40))
DRAWN = given(
    way=st.sampled_from(WAYS),
    limits=st.sampled_from(sorted(LIMITS)),
    pooling=st.sampled_from(("paired", "arbitrary")),
    protocols=st.sampled_from((PROTOCOLS, *[(protocol,) for protocol in PROTOCOLS])),
    versions=st.sampled_from(((4, 6), (4,), (6,))),
    sweeps=st.sampled_from((True, True, False)),
    stretches=st.lists(st.lists(STEP, max_size=30), min_size=8),
)


class Succeeding(Pair):
    """A pair whose engine is replaced."""

    def __init__(self, engine: Engine, settings: Any, *arguments: Any) -> None:
        super().__init__(engine, settings, *arguments)
        self.successors = 0

    def hand_over(self, pick: Pick) -> None:
        self.successors += 1
        seed = bytes([self.successors & 0xFF]) * 80
        successor = self.engine.Nat(self.nat.settings, seed)
        before, usage = self.nat.counters(), self.nat.usage()
        moved = self.engine.modules["nat.handover.flow_transfer"].transfer(
            self.nat, successor, self.now
        )
        if self.sweeps:
            assert moved.kept == usage["sessions"] == successor.usage()["sessions"]
        assert moved.ended == 0
        assert successor.counters() == before
        assert successor.usage() == usage or not self.sweeps
        self.nat = successor
        self.model.forget(self.now)
        self.compare_tables()


@EACH_COMBINATION
@examples(100, sanitized=25)
@DRAWN
def test_the_model_does_not_notice_who_took_over_compiled(combination: str, **drawn: Any) -> None:
    agree(load("compiled"), combination, **drawn, kind_of_pair=Succeeding)


@EACH_COMBINATION
@examples(10)
@DRAWN
def test_the_model_does_not_notice_who_took_over_interpreted(
    combination: str, **drawn: Any
) -> None:
    agree(load("interpreted"), combination, **drawn, kind_of_pair=Succeeding)
