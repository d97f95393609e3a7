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
        return "syn-ack" if "A" in flags else "syn"
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
    """A TCP connection as its packets tell it (RFC 7857 section 2, RFC 6146 section 3.5.2).

    `acked` are the sides that have acknowledged the other's SYN (RFC 5382 section 5)."""

    SIDES = ("inside", "outside")

    def __init__(self, opener: str) -> None:
        self.synchronized = {opener}
        self.acked: set[str] = set()
        self.finished: set[str] = set()
        self.was_reset = False

    @property
    def phase(self) -> str:
        if len(self.acked) < 2:
            return "opening"
        return "closing" if self.was_reset or len(self.finished) == 2 else "established"

    def saw(self, side: str, event: str, is_heard: bool) -> bool:
        """A packet passed; whether it gives the connection the whole timeout of its phase again.

        A reset does so just once, when it ends an established phase: it may be forged, or be the
        inside's refusal (RFC 7857 section 7.1).  Any other packet after it shows that both sides
        go on (section 2.2).  A SYN opens what is closing or half closed; in a connection that may
        live only where it `is_heard`, for it may be forged (RFC 5961 section 4).
        """
        if event == "rst":
            if self.phase != "established":
                return False
            self.was_reset = True
        elif event in ("syn", "syn-ack") and self.phase != "opening":
            if self.phase == "closing" or (self.finished and is_heard):
                self.__init__(side)  # type: ignore[misc]
                if event == "syn-ack":
                    self.synchronized, self.acked = set(self.SIDES), {side}
        elif event == "syn":
            self.synchronized.add(side)
        elif self.phase == "opening":
            self.acknowledged(side, event)
        elif self.was_reset:
            self.was_reset = False
            self.finished = {side} if event == "fin" else set()
        elif event == "fin":
            self.finished.add(side)
        return True

    def acknowledged(self, side: str, event: str) -> None:
        """An ACK in a connection that opens.  Who has acknowledged already may close at once what
        began with data (RFC 7413): the other's ACK is taken as said."""
        if event == "syn-ack" and self.synchronized - {side}:
            self.synchronized.add(side)
        if len(self.synchronized) < 2:
            return
        if event == "fin" and self.acked:
            self.acked, self.finished = set(self.SIDES), {side}
        self.acked.add(side)
