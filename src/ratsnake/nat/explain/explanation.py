"""What `explain` says: an answer for programs, and the way to it in sentences for people.

An endpoint is asked for as (address, port); `kind` is what PacketFields calls so, None is that of
the packet that opens a flow.  To be asked after `expire` has nothing more to end, or a limit may
look reached that is not.  ValueError is raised where there is no such packet.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

Endpoint = tuple[IPv4Address | IPv6Address, int]


# By the number of the filtering behaviour (RFC 4787 section 5).
FILTERS = (
    "endpoint-independent filter: whoever sends",
    "address-dependent filter: only addresses it has sent to",
    "address- and port-dependent filter: only endpoints it has sent to",
)


@dataclass
class Explanation:
    """`verdict` is "translated" or the reason to drop the packet, as in the counters.

    - `direction`: "outbound", "inbound", "hairpin"
    - `rule`: the rule that decides, as the configuration has it, after its key: "forward tcp:22=…",
      "one-to-one …", "no-nat", "nptv6"; or "shared address", or None
    - `nat_type`: the NAT type of the mapping's host for this protocol; None without a mapping or if
      it follows a forward.  `nat_type_of`: the prefix whose own type that is, or None
    - `session`: the state of the session it belongs to, or None if it would open one or none
    - `mapping`: "existing", "new", or None where there is none
    - `internal`, `external`: the mapping's endpoints, as far as they are known.  A port is None
      that would be drawn by chance, an address where several would do
    - `becomes`: the packet's source and destination behind the NAT, likewise
    - `certain`: False where the verdict may depend on what chance gives: a hairpinned packet comes
      back in from a port that is still to be drawn; and where there is no room, which flow is
      looked at whether it may make some
    - `steps`: why, in order
    """

    verdict: str = ""
    direction: str = ""
    rule: str | None = None
    nat_type: str | None = None
    nat_type_of: str | None = None
    session: str | None = None
    mapping: str | None = None
    internal: tuple[str, int] | None = None
    external: tuple[str | None, int | None] | None = None
    becomes: tuple[tuple[str | None, int | None], tuple[str | None, int | None]] | None = None
    certain: bool = True
    steps: list[str] = field(default_factory=list)


def shown(address: str | None, port: int | None) -> str:
    """An endpoint; what is not known is a question mark."""
    host = "?" if address is None else f"[{address}]" if ":" in address else address
    return f"{host}:{'?' if port is None else port}"
