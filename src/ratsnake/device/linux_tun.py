"""A Linux TUN interface: made, probed for offloads, brought up."""

import errno
import os
import socket
import struct
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from types import TracebackType

from . import tun_constants as abi
from .packet_device import DeviceError, Packet
from .vnet_header import VNET_SIZE

# Longest queue between the kernel and the program, in packets.  The driver's own 500 overflows
# when a packet loop at 100,000 packets/s is off its processor for 5 ms, and 1000 did at times when
# a virtual machine's processor was; much more than 2000 would only add delay (24 ms of full-size
# packets at 1 Gb/s).
QUEUE_LENGTH = 2000

# A read of one packet never needs more: IP's longest.
_LONGEST = 65535

_FORBIDDEN = frozenset("/:%")  # path, interface alias, and the kernel's name template
_RESERVED = frozenset({".", "..", "all", "default"})  # these are directories in /proc/sys/net

_NO_ACCESS = "is not open to this user; run as root or with CAP_NET_ADMIN"
_NO_DRIVER = "is not there; load the driver with `modprobe tun`"
_OPEN_FAILURES = {
    errno.ENOENT: _NO_DRIVER + " (in a container: hand it the device)",
    errno.ENODEV: _NO_DRIVER,
    errno.ENXIO: _NO_DRIVER,
    errno.EACCES: _NO_ACCESS,
    errno.EPERM: _NO_ACCESS + " (in a container: allow it the device)",
}
_ATTACH_FAILURES = {
    errno.EPERM: "may not be made by this user; run as root or with CAP_NET_ADMIN",
    errno.EBUSY: "is the name of an interface that exists; "
    "choose another name, or stop what uses this one",
}
# The kernel's reasons not to take one packet: no room, malformed, interface down.
_NOT_TAKEN = frozenset({errno.EAGAIN, errno.EINVAL, errno.EIO, errno.ENOMEM, errno.ENOBUFS})


def check_name(name: str) -> None:
    """Raise ValueError, one line, unless `name` can name an interface.

    The kernel's rule (dev_valid_name in net/core/dev.c), less what is not printable ASCII and
    less `%`, which would make the name a template.
    """
    problem = ""
    if not 1 <= len(name) < abi.IFNAMSIZ:
        problem = f"has {len(name)} characters"
    elif any(c in _FORBIDDEN or not "!" <= c <= "~" for c in name):
        problem = "has a character that interface names cannot have"
    elif name in _RESERVED:
        problem = "is a word the kernel keeps for itself"
    if problem:
        raise ValueError(
            f"interface name {name!r} {problem}; right is 1 to {abi.IFNAMSIZ - 1} printable ASCII "
            "characters without space, '/', ':' or '%'"
        )


def _open() -> int:
    try:
        return os.open(abi.TUN_PATH, os.O_RDWR | os.O_NONBLOCK)
    except OSError as e:
        why = _OPEN_FAILURES.get(e.errno or 0, f"cannot be opened: {e.strerror}")
        raise DeviceError(f"{abi.TUN_PATH} {why}") from e


def _attach(name: str, flags: int) -> int:
    """A new descriptor with a new interface `name` behind it."""
    flags |= abi.IFF_TUN | abi.IFF_NO_PI | abi.IFF_TUN_EXCL
    fd = _open()
    try:
        ioctl(fd, abi.TUNSETIFF, struct.pack(abi.IFREQ_FLAGS, name.encode(), flags))
    except OSError as e:
        os.close(fd)
        why = _ATTACH_FAILURES.get(e.errno or 0, f"cannot be made: {e.strerror}")
        raise DeviceError(f"device {name} {why}") from e
    return fd


def _knows_vnet_header() -> bool:
    """Whether the driver has IFF_VNET_HDR; some emulations of Linux have a TUN without it."""
    fd = _open()
    try:
        (features,) = struct.unpack("=I", ioctl(fd, abi.TUNGETFEATURES, bytes(4)))
    except OSError:
        return False
    finally:
        os.close(fd)
    return bool(features & abi.IFF_VNET_HDR)


def _strongest(fd: int, notes: list[str]) -> tuple[str, ...]:
    """Turn on the first of OFFLOAD_SETS that the kernel takes; () when it takes none."""
    for offloads in abi.OFFLOAD_SETS:
        try:
            ioctl(fd, abi.TUNSETOFFLOAD, offloads.flags)
        except OSError as e:
            notes.append(
                f"the kernel refuses the offloads {'+'.join(offloads.features)} "
                f"({e.strerror}; {offloads.needs} and later take them): trying less"
            )
        else:
            return offloads.features
    return ()


class LinuxTun:
    """A TUN interface that lives as long as this object is open.

    name         the interface's name
    vnet_header  whether every frame on the descriptor starts with a vnet_header.VNET_SIZE header
    features     the offloads in force, of csum, tso4, tso6, uso4, uso6
    notes        one line for each fall-back to less than was asked for

    With a vnet header a frame may be a 64 kB packet that still is to be cut, or one without its
    checksum: only a reader that knows the header can do with it.  So read() and write() are for
    a device without one (`offload=False`); the packet packet loop uses fileno().
    """

    def __init__(self, name: str, *, offload: bool = True) -> None:
        """Make the interface, in this thread's network namespace; it is not up yet.

        `offload` False asks for no vnet header and no offloads.  Raises ValueError for a bad
        name, DeviceError when the interface cannot be made.
        """
        check_name(name)
        self.name = name
        self._fd = -1
        self.features: tuple[str, ...] = ()
        notes: list[str] = []
        if offload:
            self._open_with_offloads(notes)
        if self._fd < 0:
            self._fd = _attach(name, 0)
        self.vnet_header = bool(self.features)
        self.notes = tuple(notes)

    def _open_with_offloads(self, notes: list[str]) -> None:
        if not _knows_vnet_header():
            notes.append("the TUN driver has no vnet header: going on without offloads")
            return
        fd = _attach(self.name, abi.IFF_VNET_HDR)
        try:
            ioctl(fd, abi.TUNSETVNETHDRSZ, struct.pack("=i", VNET_SIZE))
            self.features = _strongest(fd, notes)
        except OSError as e:
            notes.append(f"the TUN driver refuses a {VNET_SIZE}-byte vnet header ({e.strerror})")
        if self.features:
            self._fd = fd
            return
        # The header cannot be taken off again: the interface is made anew without it.
        os.close(fd)
        notes.append("the TUN driver takes no offloads: going on without them")

    def bring_up(self, mtu: int) -> None:
        """Set the MTU (68 to 65535 bytes) and the queue length, and bring the interface up.

        The kernel sends nothing of its own by it: without an IPv6 link-local address it solicits
        no router, and without multicast it reports no groups.

        To be called in the network namespace it was made in.  Raises ValueError for an MTU out
        of range, DeviceError when the kernel refuses.
        """
        if not abi.MTU_MIN <= mtu <= abi.MTU_MAX:
            raise ValueError(f"MTU {mtu} is out of range; right is {abi.MTU_MIN} to {abi.MTU_MAX}")
        name = self.name.encode()
        with suppress(OSError):  # no IPv6, or its settings are not for us to change
            Path(abi.ADDR_GEN_MODE.format(self.name)).write_text(abi.IN6_ADDR_GEN_MODE_NONE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            try:
                ioctl(control, abi.SIOCSIFMTU, struct.pack(abi.IFREQ_INT, name, mtu))
                # The kernel asks for CAP_NET_ADMIN of the host for this one, which root in a
                # user namespace lacks; the queue then keeps the driver's own length.
                with suppress(PermissionError):
                    queue = struct.pack(abi.IFREQ_INT, name, QUEUE_LENGTH)
                    ioctl(control, abi.SIOCSIFTXQLEN, queue)
                request = struct.pack(abi.IFREQ_FLAGS, name, 0)
                _, flags = struct.unpack(abi.IFREQ_FLAGS, ioctl(control, abi.SIOCGIFFLAGS, request))
                flags = flags & ~abi.IFF_MULTICAST | abi.IFF_UP
                request = struct.pack(abi.IFREQ_FLAGS, name, flags)
                ioctl(control, abi.SIOCSIFFLAGS, request)
            except OSError as e:
                raise DeviceError(f"device {self.name} cannot be brought up: {e.strerror}") from e

    def fileno(self) -> int:
        """The non-blocking descriptor; one read or write is one frame.

        Raises DeviceError when closed.
        """
        if self._fd < 0:
            raise DeviceError(f"device {self.name} is closed")
        return self._fd

    def read(self) -> bytes | None:
        """The next packet or None; see Device.  Only without a vnet header."""
        fd = self._plain()
        try:
            return os.read(fd, _LONGEST)
        except BlockingIOError:
            return None
        except OSError as e:
            raise self._gone(e) from e

    def write(self, packet: Packet) -> bool:
        """Hand the kernel a packet; see Device.  Only without a vnet header."""
        fd = self._plain()
        try:
            return os.write(fd, packet) == len(packet)
        except OSError as e:
            if e.errno in _NOT_TAKEN:
                return False
            raise self._gone(e) from e

    def close(self) -> None:
        """Close the descriptor, and with it remove the interface."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "LinuxTun":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _plain(self) -> int:
        if self.vnet_header:
            raise DeviceError(
                f"device {self.name} has a vnet header: use fileno(), or open it with offload=False"
            )
        return self.fileno()

    def _gone(self, error: OSError) -> DeviceError:
        """EBADFD is what the driver says once the interface has been deleted."""
        if error.errno == errno.EBADFD:
            return DeviceError(f"device {self.name} is gone: the interface was deleted")
        return DeviceError(f"device {self.name} failed: {error.strerror}")
