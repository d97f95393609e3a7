"""PSID and port: which ports of a shared IPv4 address belong to whom (RFC 7597 section 5.1)."""

from dataclasses import dataclass

from .port_set import FIRST_PORT, PortSet

PORT_BITS = 16


@dataclass(frozen=True, slots=True)
class PsidFormat:
    """Where in a port number the PSID stands: `offset` bits before it, itself `psid_len` bits.

        |   offset (a)   |  psid_len (k)  |  the rest (m)  |   a + k + m = 16
        |        i       |      PSID      |       j        |

    The ports of a PSID are those with any j, and any i but 0: that keeps everybody off the
    ports below 2 ** (16 - offset).  With an offset of 0 there is no i.  Both lengths are in
    bits, 0 to 16 in all; ValueError otherwise.
    """

    offset: int
    psid_len: int

    def __post_init__(self) -> None:
        for name, bits in (("offset", self.offset), ("length", self.psid_len)):
            if not 0 <= bits <= PORT_BITS:
                raise ValueError(f"a PSID {name} of {bits} bits; a port has {PORT_BITS}")
        if self.offset + self.psid_len > PORT_BITS:
            raise ValueError(
                f"a PSID offset of {self.offset} and a PSID of {self.psid_len} bits take"
                f" {self.offset + self.psid_len} bits; a port has {PORT_BITS}"
            )

    @property
    def psids(self) -> range:
        """All there are: as many as customers share an address."""
        return range(1 << self.psid_len)

    def ports(self, psid: int) -> PortSet:
        """The ports of `psid`: (2 ** a - 1) * 2 ** m, or 2 ** m when a = 0, less port 0.

        Raises ValueError for a PSID too large, and for the one that would have port 0 only.
        """
        if psid not in self.psids:
            raise ValueError(
                f"{psid} is no PSID of {self.psid_len} bits; those go from 0 to {self.psids[-1]}"
            )
        size = 1 << (PORT_BITS - self.offset - self.psid_len)
        step = 1 << (PORT_BITS - self.offset)
        first_block = 1 if self.offset else 0
        starts = [i * step + psid * size for i in range(first_block, 1 << self.offset)]
        ranges = [(max(start, FIRST_PORT), start + size - 1) for start in starts]
        if ranges == [(FIRST_PORT, 0)]:
            raise ValueError(
                f"PSID {psid} of {self.psid_len} bits has port 0 only, which is reserved;"
                f" right is 1 to {self.psids[-1]}"
            )
        return PortSet.of(ranges)
