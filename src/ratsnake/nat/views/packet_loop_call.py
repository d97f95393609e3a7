"""Something that another thread wants of the tables, and has whoever translates packets do."""

from typing import TypeVar


class PacketLoopCall:
    """`run` is called between two packets, once; what it brought is then read by who sent it.

    It needs no GIL, allocates nothing, and takes some ten microseconds however large the tables
    are: until it is over, packets wait.
    """

    def run(self) -> None:
        """Look at the tables, and copy what is wanted."""


Done = TypeVar("Done", bound=PacketLoopCall)


def done(packet_loop_call: Done) -> Done:
    """The packet-loop call, run here and now: where no packet can come between."""
    it: PacketLoopCall = packet_loop_call
    it.run()
    return packet_loop_call
