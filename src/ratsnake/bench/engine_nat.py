"""The NAT that the engine's measurements are made of."""

from ipaddress import IPv4Address, IPv4Network

from ratsnake.nat.nat import Nat
from ratsnake.nat.rules.behaviour import PRESETS, Behaviour
from ratsnake.nat.settings.setting_types import External, Limits, Pooling, Timeouts
from ratsnake.nat.settings.validated_settings import Settings
from ratsnake.portset import PortSet

FULL_CONE = PRESETS["full-cone"].behaviour
INTERNAL = IPv4Network("10.0.0.0/8")
FIRST_EXTERNAL = IPv4Address("203.0.113.1")
ADDRESSES = 24  # so that 1,000,000 mappings leave a third of the ports free
PORTS = PortSet.parse("1024-65535")
ROWS = 1_048_576  # of either table, whatever the number of sessions measured
REST = Timeouts().rest
BLOCKS = 4  # that one host may have
SEED = bytes(range(80))


def make_nat(
    behaviour: Behaviour = FULL_CONE,
    rows: int = ROWS,
    addresses: int = ADDRESSES,
    ports: PortSet = PORTS,
    rest: int = REST,
    port_block: int = 0,
) -> Nat:
    """A NAT with one behaviour for TCP and UDP, and tables of up to `rows` mappings and sessions.

    Its external addresses serve all hosts.
    `rest` is in seconds; `port_block` is as in `Settings`.
    """
    settings = Settings(
        externals=tuple(External(FIRST_EXTERNAL + row, ports) for row in range(addresses)),
        internal=(INTERNAL,),
        tcp=behaviour,
        udp=behaviour,
        pooling=Pooling.ARBITRARY if addresses > 1 else Pooling.PAIRED,
        port_block=port_block,
        blocks_per_host=BLOCKS,
        timeouts=Timeouts(rest=rest),
        limits=Limits(mappings=rows, sessions=rows, host_share=100),
    )
    return Nat(settings, SEED)
