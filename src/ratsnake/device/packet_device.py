"""What every packet device offers, and the one error a device raises.

Capture files are read and written record by record, with times, and are no Device: pcap_file.py.
"""

from typing import Protocol, TypeAlias

Packet: TypeAlias = bytes | bytearray | memoryview


class DeviceError(Exception):
    """A device that cannot be opened, or no longer works; the message is one line for a user."""


class Device(Protocol):
    """A source and sink of whole IP packets: no link header in front, no padding behind.

    No method blocks, and none raises BlockingIOError.
    """

    def read(self) -> bytes | None:
        """The next packet, or None when there is none now.

        Raises DeviceError when there will never be one again (closed, or the device is gone).
        """

    def write(self, packet: Packet) -> bool:
        """Give a packet to the device, which keeps no reference to it.

        False when the device did not take it (no room now, or it refuses this packet): the
        packet is lost, as on a wire.  Raises DeviceError when the device is closed or gone.
        """

    def close(self) -> None:
        """Let go of the device; closing twice is harmless."""


class PollableDevice(Device, Protocol):
    """A device that a descriptor stands for."""

    def fileno(self) -> int:
        """A descriptor to poll for packets (POLLIN); valid until close()."""
