"""The engine is asked what it will do before it does it: that is so, and the model still agrees."""

from ipaddress import ip_address
from typing import Any

from model.packet_forms import ECHO, Error, Packet
from model.pair import Pair
from model.test_against_model import DRAWN, EACH_COMBINATION, agree
from support.flavours import load
from support.packets import FLAGS
from support.properties import examples


class Asked(Pair):
    """Explains every packet first, where sweeping is exact."""

    def send(self, packet: Packet | Error) -> str:
        if isinstance(packet, Error) or not self.sweeps:
            return super().send(packet)
        kind = 0
        if packet.protocol == "icmp":
            kind = ECHO[packet.version, packet.is_request]
        elif packet.protocol == "tcp":
            kind = sum(FLAGS[letter] for letter in packet.flags)
        ends = [(ip_address(end[0]), end[1]) for end in (packet.source, packet.destination)]
        said = self.nat.explain(packet.protocol, *ends, self.now, kind)
        verdict = super().send(packet)
        assert said.verdict == verdict or not said.certain, said
        return verdict


@EACH_COMBINATION
@examples(25)
@DRAWN
def test_what_is_explained_is_what_happens(combination: str, **drawn: Any) -> None:
    agree(load("compiled"), combination, **drawn, kind_of_pair=Asked)
