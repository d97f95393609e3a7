"""Packets that need no session: remotes that are not to be translated (RFC 6888 REQ-6), and
prefixes that are translated one address for one (NPTv6, RFC 6296).

Both look at addresses only, so fragments and unknown protocols pass like all else.  An ICMP error
belongs here if the packet it quotes does.
"""

from typing import cast

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import Bytes, u32
    from ratsnake.wire.ipv6 import DESTINATION as DESTINATION_AT
    from ratsnake.wire.ipv6 import SOURCE as SOURCE_AT
    from ratsnake.wire.packet_fields import Packet

    from ..packets.header_rewrite import RECEIVER, SENDER
    from ..rules.drop_reasons import DESTINATION, REASONS_COUNT, SOURCE, TRANSLATED, UNMAPPABLE
    from .icmp_error_translation import quoted_high, quoted_low

from ..settings.address_realm import AddressRealm
from ..settings.nptv6 import PrefixPair, PrefixTranslator


class Stateless:
    """`active`: there is anything to do; `is_outbound`: the way of the last packet."""

    def __init__(self, realm: AddressRealm, pair: PrefixPair | None) -> None:
        self.realm = realm
        self.prefixes = pair is not None
        # None is never asked: `prefixes` says whether there is one.
        self.translator = cast(PrefixTranslator, PrefixTranslator(*pair) if pair else None)
        self.active = self.prefixes or realm.bypass.count > 0
        self.is_outbound = False

    def process(self, b: Bytes, p: Packet) -> u32:
        """TRANSLATED, the reason to drop the packet, or REASONS_COUNT if it is not of this kind."""
        if self.passes(b, p):
            if (
                p.is_error
                and not self.is_outbound
                and not self.realm.may_report(p.source_high, p.source_low)
            ):
                return SOURCE
            return TRANSLATED
        if self.prefixes and p.version == 6:
            return self.exchange(b, p)
        return REASONS_COUNT

    def passes(self, b: Bytes, p: Packet) -> bool:
        """Whether the packet goes between the inside and a remote that is not translated."""
        self.is_outbound = self.comes_from_inside(b, p)
        if self.is_outbound:
            return self.realm.is_bypassed(p.destination_high, p.destination_low)
        if not self.realm.is_internal(p.destination_high, p.destination_low):
            return False
        if p.is_error:
            return self.realm.is_bypassed(quoted_high(b, p, RECEIVER), quoted_low(b, p, RECEIVER))
        return self.realm.is_bypassed(p.source_high, p.source_low)

    def comes_from_inside(self, b: Bytes, p: Packet) -> bool:
        """From an internal host, or from the router the NAT runs on, about what it forwards
        there."""
        if self.realm.is_internal(p.source_high, p.source_low):
            return True
        return (
            p.is_error != 0
            and self.realm.is_router(p.source_high, p.source_low)
            and self.realm.is_internal(quoted_high(b, p, RECEIVER), quoted_low(b, p, RECEIVER))
        )

    def exchange(self, b: Bytes, p: Packet) -> u32:
        """Exchange prefixes; a packet between two internal hosts has both ends exchanged."""
        out: bool = self.translator.is_internal(p.source_high)
        back: bool = self.translator.is_external(p.destination_high)
        self.is_outbound = not back
        if not out and not back:
            if not p.is_error or not self.realm.is_router(p.source_high, p.source_low):
                return REASONS_COUNT
            if not self.translator.is_internal(quoted_high(b, p, RECEIVER)):
                return REASONS_COUNT
            # The router reports an inbound packet; its own address has no other prefix.
            return TRANSLATED if self.restore(b, p, True, False) else UNMAPPABLE
        if back and not out:
            # Only packets between two internal hosts have a source in the external prefix, and
            # they get it here.
            if not self.realm.may_report(p.source_high, p.source_low):
                return SOURCE
            if self.translator.is_external(p.source_high):
                return SOURCE
        if out and p.is_error and not self.translator.is_internal(quoted_high(b, p, RECEIVER)):
            # It has met no packet to a remote one, nor one to a host that is translated by port,
            # whose address the error would tell.
            return SOURCE
        if out:
            if not back and (
                not self.realm.is_remote(p.destination_high, p.destination_low)
                or self.translator.is_internal(p.destination_high)
            ):
                return DESTINATION
            if not self.translator.to_external(b, SOURCE_AT):
                return UNMAPPABLE
        if back and not self.translator.to_internal(b, DESTINATION_AT):
            return UNMAPPABLE
        # Exchanging prefixes leaves every sum as it was, that of the error around it too.
        if p.is_error and not self.restore(b, p, out, back):
            return UNMAPPABLE
        return TRANSLATED

    def restore(self, b: Bytes, p: Packet, out: bool, back: bool) -> bool:
        """Undo in the quoted packet, which went the other way, what was done to it."""
        e: u32 = p.embedded
        done: bool = True
        if out and self.translator.is_internal(quoted_high(b, p, RECEIVER)):
            done = self.translator.to_external(b, e + DESTINATION_AT)
        if back and self.translator.is_external(quoted_high(b, p, SENDER)):
            done = done and self.translator.to_internal(b, e + SOURCE_AT)
        return done
