"""What a packet is to a connection, and what a NAT makes of it: RFC 9293, RFC 7857 section 2."""

from model.packet_forms import Packet


class Refused(Exception):
    """A packet is dropped; the argument is the reason's name."""


def event_of(packet: Packet) -> str:
    """What a packet is to a connection; RFC 9293 section 3.10.7 knows no other combinations."""
    flags = set(packet.flags)
    if packet.protocol != "tcp":
        return "data"
    if "S" in flags and not flags & {"F", "R"}:
        return "syn"
    if "R" in flags and "S" not in flags:
        return "rst"
    if "A" in flags and not flags & {"S", "R"}:
        return "fin" if "F" in flags else "data"
    raise Refused("tcp-flags")


def opens(packet: Packet) -> bool:
    """Whether it may begin a session: a SYN without ACK, an Echo Request, any datagram."""
    if packet.protocol == "tcp":
        return not set(packet.flags) & {"A", "F", "R"} and "S" in packet.flags
    return packet.protocol == "udp" or packet.is_request


class Connection:
    """A TCP connection as its packets tell it (RFC 7857 section 2, RFC 6146 section 3.5.2)."""

    def __init__(self, opener: str) -> None:
        self.synchronized = {opener}
        self.finished: set[str] = set()
        self.was_reset = False

    @property
    def phase(self) -> str:
        if len(self.synchronized) < 2:
            return "opening"
        return "closing" if self.was_reset or len(self.finished) == 2 else "established"

    def saw(self, side: str, event: str) -> bool:
        """A packet passed; whether it gives the connection the whole timeout of its phase again.

        A reset does so just once, when it ends an established phase: it may be forged, or be the
        inside's refusal (RFC 7857 section 7.1).  Any other packet after it shows that both sides
        go on (section 2.2).
        """
        if event == "rst":
            if self.phase != "established":
                return False
            self.was_reset = True
        elif event == "syn" and self.phase == "closing":
            self.__init__(side)  # type: ignore[misc]
        elif event == "syn":
            self.synchronized.add(side)
        elif self.was_reset:
            self.was_reset = False
            self.finished = {side} if event == "fin" else set()
        elif event == "fin" and self.phase != "opening":
            self.finished.add(side)
        return True
