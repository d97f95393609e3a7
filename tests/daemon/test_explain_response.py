"""The answer to `explain` over the control socket: questions read, the way back, wrong ones."""

from contextlib import nullcontext
from typing import Any

import pytest

from ratsnake.daemon.views.explain_response import Explainer
from support.bench import EXTERNAL, INSIDE, R1, Bench
from support.flavours import load

HOST = (INSIDE, 4000)
QUESTION = {
    "protocol": "udp",
    "source": INSIDE,
    "source_port": 4000,
    "destination": R1,
    "destination_port": 53,
}


def answer(bench: Bench, **question: Any) -> dict[str, Any]:
    explainer = Explainer(bench.nat, nullcontext, lambda: bench.now)
    ((row,),) = explainer.answer({**QUESTION, **question})
    return row


@pytest.fixture
def bench() -> Bench:
    return Bench(load("compiled"), "port-restricted-cone")


def test_out_and_back(bench: Bench) -> None:
    assert answer(bench)["mapping"] == "new"
    with pytest.raises(ValueError, match=f"{INSIDE}:4000 has no outside endpoint"):
        answer(bench, inbound=True)
    external = bench.open("udp", HOST, (R1, 53))
    said = answer(bench, inbound=True)
    assert (said["verdict"], said["direction"]) == ("translated", "inbound")
    assert said["external"] == external
    assert said["becomes"] == ((R1, 53), HOST)


def test_what_has_expired_is_swept_first(bench: Bench) -> None:
    bench.open("udp", HOST, (R1, 53))
    bench.now += 10_000_000
    assert answer(bench)["mapping"] == "new"
    assert bench.is_empty()


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"source": "nobody"}, "source nobody: must be an IPv4 or IPv6 address"),
        ({"destination_port": "http"}, "destination_port http: must be a number"),
        ({"source_port": 70000}, "port 70000: must be from 0 to 65535"),
        ({"protocol": None}, "protocol None: must be one of tcp, udp,"),
        (
            {"source": R1, "destination": EXTERNAL, "inbound": True},
            "it is inbound as it is",
        ),
    ],
)
def test_wrong_questions(bench: Bench, question: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        answer(bench, **question)
