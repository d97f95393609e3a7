"""What RFC 6296 section 3.4 makes of an address, by plain arithmetic."""

from ipaddress import IPv6Address, IPv6Network

INTERNAL, EXTERNAL = "fd01:203:405::/48", "2001:db8:a::/48"


def words(address: IPv6Address) -> list[int]:
    packed = address.packed
    return [int.from_bytes(packed[k : k + 2], "big") for k in range(0, 16, 2)]


def external_of(address: str) -> str:
    """The external address of an internal one, for the /48 pair above."""
    inside, outside = (
        sum(words(IPv6Network(prefix).network_address)) for prefix in (INTERNAL, EXTERNAL)
    )
    subnet = (words(IPv6Address(address))[3] + inside - outside) % 0xFFFF
    tail = int(IPv6Address(address)) & (1 << 64) - 1
    network = int(IPv6Network(EXTERNAL).network_address)
    return str(IPv6Address(network | subnet << 64 | tail))
