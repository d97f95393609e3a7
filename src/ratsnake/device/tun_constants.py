"""Numbers of the Linux TUN driver and of interface ioctls, and the offload sets to ask for.

Sources: linux/if_tun.h, linux/if.h, linux/sockios.h, asm-generic/ioctl.h (asm/ioctl.h on the
machines named below).  Data only; linux_tun.py does the calling.
"""

import os
from typing import NamedTuple

TUN_PATH = "/dev/net/tun"

# The direction bits of an ioctl number: asm-generic/ioctl.h, except on these machines.
_OLD_LAYOUT = os.uname().machine.startswith(("alpha", "mips", "ppc", "sparc"))
_WRITE, _READ = (4 << 29, 2 << 29) if _OLD_LAYOUT else (1 << 30, 2 << 30)
_INT = 4 << 16 | ord("T") << 8  # argument size and type of every TUN ioctl used here

TUNSETIFF = _WRITE | _INT | 202
TUNGETFEATURES = _READ | _INT | 207
TUNSETOFFLOAD = _WRITE | _INT | 208
TUNSETVNETHDRSZ = _WRITE | _INT | 216

IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
IFF_TUN_EXCL = 0x8000

TUN_F_CSUM = 0x01
TUN_F_TSO4 = 0x02
TUN_F_TSO6 = 0x04
TUN_F_USO4 = 0x20
TUN_F_USO6 = 0x40

SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
SIOCSIFMTU = 0x8922
SIOCSIFTXQLEN = 0x8943
IFF_UP = 0x1
IFF_MULTICAST = 0x1000

ADDR_GEN_MODE = "/proc/sys/net/ipv6/conf/{}/addr_gen_mode"
IN6_ADDR_GEN_MODE_NONE = "1"

IFNAMSIZ = 16  # with the terminating zero
MTU_MIN = 68  # RFC 791: every IPv4 link carries 68 bytes unfragmented; the driver's floor too
MTU_MAX = 65535

# struct ifreq: the name, then a union of 24 bytes (on 64-bit machines) of which one field is used.
IFREQ_FLAGS = "=16sH22x"
IFREQ_INT = "=16si20x"


class OffloadSet(NamedTuple):
    """One argument of TUNSETOFFLOAD."""

    flags: int
    features: tuple[str, ...]
    needs: str  # since when kernels take it


# From the strongest down.  The kernel takes USO4 and USO6 only together (drivers/net/tun.c).
OFFLOAD_SETS = (
    OffloadSet(
        TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6,
        ("csum", "tso4", "tso6", "uso4", "uso6"),
        "Linux 6.2",
    ),
    OffloadSet(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, ("csum", "tso4", "tso6"), "Linux 2.6.27"),
    OffloadSet(TUN_F_CSUM, ("csum",), "Linux 2.6.27"),
)
