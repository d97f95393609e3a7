"""IPv6 prefixes exchanged without state (NPTv6, RFC 6296): `fd01:203:405::/48=2001:db8:1::/48`.

One 16-bit word of the address takes up what the other prefix changes in its one's-complement sum,
so no checksum of any transport changes.  Up to /48 it is the subnet (section 3.4), beyond that the
first word of the interface identifier that is not 0xFFFF (section 3.5).
"""

from ipaddress import IPv6Network

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16, be64, put16, put64
    from ratsnake.wire.checksum import difference32, fold
    from ratsnake.wire.integer_types import M16, M32, M64, Bytes, u32, u64

    SUBNET = 6
    IDENTIFIER = 8
    SUBNET_PREFIX = 48
    LONGEST_PREFIX = 64

PrefixPair = tuple[IPv6Network, IPv6Network]

EXAMPLE = "fd01:203:405::/48=2001:db8:1::/48"


def parse_prefix(text: str) -> IPv6Network:
    try:
        whole = IPv6Network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text}: not an IPv6 prefix such as fd01:203:405::/48") from None
    if "/" not in text:
        raise ValueError(f"{text}: a length is missing, as in fd01:203:405::/48")
    if whole.network_address != IPv6Network(text.split("/")[0]).network_address:
        raise ValueError(f"{text}: bits are set behind the prefix; {whole} has none")
    return whole


def parse_prefix_pair(text: str) -> PrefixPair:
    """The internal and the external prefix of INTERNAL=EXTERNAL; ValueError says what is right."""
    internal, equals, external = text.partition("=")
    if not equals:
        raise ValueError(f"{text}: not INTERNAL=EXTERNAL, such as {EXAMPLE}")
    pair = parse_prefix(internal), parse_prefix(external)
    check_prefixes(*pair)
    return pair


def check_prefixes(internal: IPv6Network, external: IPv6Network) -> None:
    """ValueError where the two cannot be exchanged."""
    for prefix in (internal, external):
        if prefix.prefixlen > LONGEST_PREFIX:
            raise ValueError(f"{prefix}: longer than /{LONGEST_PREFIX} cannot be translated")
    if internal.overlaps(external):
        raise ValueError(f"{internal}={external}: the prefixes overlap; they must be disjoint")


def high_half(prefix: IPv6Network) -> int:
    return int(prefix.network_address) >> 64


def high_mask(length: int) -> int:
    return (1 << 64) - (1 << (64 - length))


class PrefixTranslator:
    def __init__(self, internal: IPv6Network, external: IPv6Network) -> None:
        """ValueError if one is longer than /64 or they overlap.

        Of two lengths the longer counts: the shorter prefix is extended with zeros, and what it has
        beyond that is not mapped (section 3.1).
        """
        check_prefixes(internal, external)
        length = max(internal.prefixlen, external.prefixlen)
        self.longer = length > SUBNET_PREFIX
        self.mask = high_mask(length)
        self.internal_mask = high_mask(internal.prefixlen)
        self.external_mask = high_mask(external.prefixlen)
        self.internal = high_half(internal)
        self.external = high_half(external)
        # What the prefix adds to the sum on the way out, the word must take away.
        self.inward = fold(
            difference32(self.internal >> 32, self.external >> 32)
            + difference32(self.internal & M32, self.external & M32)
        )
        self.outward = self.inward ^ M16

    def is_internal(self, high: u64) -> bool:
        """Whether the internal prefix has the address, of which this is the upper half."""
        return high & self.internal_mask == self.internal

    def is_external(self, high: u64) -> bool:
        return high & self.external_mask == self.external

    def to_external(self, b: Bytes, at: u32) -> bool:
        """Rewrite the internal address in b[at:at+16]; False, and as it was, if it has no mapping.

        To that packet "destination unreachable" is the answer (section 3.2).
        """
        return self.exchange(b, at, self.internal, self.external, self.outward)

    def to_internal(self, b: Bytes, at: u32) -> bool:
        """Rewrite the external address in b[at:at+16]; False, and as it was, if it has none."""
        return self.exchange(b, at, self.external, self.internal, self.inward)

    def exchange(self, b: Bytes, at: u32, old: u64, new: u64, adjustment: u32) -> bool:
        high: u64 = be64(b, at)
        if high & self.mask != old:
            return False
        word_at: u32 = at + SUBNET
        if self.longer:
            word_at = at + IDENTIFIER
            while word_at < at + 16 and be16(b, word_at) == M16:
                word_at += 2
            if word_at == at + 16:
                # An identifier of all ones is reserved for anycast (RFC 2526).
                return False
        word: u32 = be16(b, word_at)
        if word == M16:
            # In one's complement the same number as subnet 0, which has the mapping.
            return False
        word = fold(word + adjustment)
        if word == M16:
            word = 0
        if self.longer and not self.keeps_identifier(b, at, word_at, word):
            return False
        put64(b, at, (high ^ old ^ new) & M64)
        put16(b, word_at, word)
        return True

    def keeps_identifier(self, b: Bytes, at: u32, word_at: u32, word: u32) -> bool:
        """Whether the identifier is not all zeros, nor becomes that with `word` at `word_at`.

        All zeros is the routers' anycast address and is not translated (section 3.7), so that
        nobody could answer who was translated to it.
        """
        identifier: u64 = be64(b, at + IDENTIFIER)
        others: u64 = be16(b, word_at)
        others = identifier ^ others << 8 * (at + 14 - word_at)
        return identifier != 0 and (others != 0 or word != 0)
