"""What a reset from outside is judged by: the window the inside of a TCP session has open.

RFC 5961 section 3.2 has a receiver act on a reset only if its sequence number lies in the receive
window.  The NAT does the same, so that who does not see a connection cannot end its session.  What
the inside expects next and how much it takes is in every segment it sends.  The window is scaled if
both sides offered a scale in their SYN, and never in a SYN itself (RFC 7323 section 2.2).

With a SYN the numbers begin anew.  From the inside it is believed at any time.  One from outside in
a running connection may be forged, and is believed only if the inside has just asked for it; but
what the inside answers to one shows all there is to know of it.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16, be32
    from ratsnake.wire.integer_types import M32, Bytes, u32
    from ratsnake.wire.packet_fields import Packet
    from ratsnake.wire.tcp import ACKNOWLEDGMENT, SEQUENCE, WINDOW
    from ratsnake.wire.tcp_options import WINDOW_SCALE, WINDOW_SCALE_LENGTH, find_option

    from ..rules.connection_states import FLAG_ACK, FLAG_SYN
    from ..rules.timeout_classes import TCP_ESTABLISHED
    from ..tables.row_layouts import Sessions
    from ..tables.session_table import INSIDE_SYN, OUTSIDE_SCALES, WINDOW_OF_SYN

    LARGEST_SCALE = 14


def scale_of(b: Bytes, p: Packet) -> u32:
    """The window scale a SYN offers, or 0."""
    at: u32 = find_option(b, p.transport, WINDOW_SCALE, WINDOW_SCALE_LENGTH)
    if at == 0:
        return 0
    return b[at + 2] if b[at + 2] < LARGEST_SCALE else LARGEST_SCALE


def inside_sent(s: Sessions, i: u32, b: Bytes, p: Packet) -> None:
    """Note what a segment of the inside says it expects."""
    if p.kind & FLAG_SYN:
        s[i].inside_scale = scale_of(b, p)
        s[i].flags |= WINDOW_OF_SYN
        if not p.kind & FLAG_ACK:
            s[i].flags |= INSIDE_SYN
        elif s[i].timer == TCP_ESTABLISHED:
            # It answers a SYN that was not believed, and offers a scale only to who offered one.
            note_outside_scale(s, i, b, p)
    elif p.kind & FLAG_ACK:
        s[i].flags &= ~WINDOW_OF_SYN
    if p.kind & FLAG_ACK:
        s[i].flags &= ~INSIDE_SYN
        s[i].inside_next = be32(b, p.transport + ACKNOWLEDGMENT)
        s[i].inside_window = be16(b, p.transport + WINDOW)


def outside_synchronized(s: Sessions, i: u32, b: Bytes, p: Packet) -> None:
    """Note where a SYN from outside begins, and whether it offers a scale.

    In a running connection it may be forged, but for the answer to a SYN of the inside.
    """
    if s[i].timer == TCP_ESTABLISHED and not s[i].flags & INSIDE_SYN:
        return
    s[i].inside_next = be32(b, p.transport + SEQUENCE) + 1 & M32
    note_outside_scale(s, i, b, p)


def note_outside_scale(s: Sessions, i: u32, b: Bytes, p: Packet) -> None:
    """Note by a SYN whether the outside offers a scale."""
    if find_option(b, p.transport, WINDOW_SCALE, WINDOW_SCALE_LENGTH):
        s[i].flags |= OUTSIDE_SCALES
    else:
        s[i].flags &= ~OUTSIDE_SCALES


def in_window(s: Sessions, i: u32, b: Bytes, p: Packet) -> bool:
    """Whether a segment from outside begins where the inside would take it.

    Who has sent a SYN takes a reset by what that acknowledges (RFC 9293 section 3.10.7.3), and has
    nothing to lose: any is believed.
    """
    if s[i].flags & INSIDE_SYN:
        return True
    window: u32 = s[i].inside_window
    if s[i].flags & (OUTSIDE_SCALES | WINDOW_OF_SYN) == OUTSIDE_SCALES:
        window = window << s[i].inside_scale
    distance: u32 = be32(b, p.transport + SEQUENCE) - s[i].inside_next & M32
    return distance == 0 or distance < window
