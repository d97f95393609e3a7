"""Move packets between a NAT and a `Device` by hand: for embedding and for tests.

A running NAT uses the packet loop; this is for callers with a loop and a clock of their own.
"""

from ratsnake.device.packet_device import Device
from ratsnake.nat.nat import Nat
from ratsnake.nat.rules.drop_reasons import TRANSLATED


def relay(nat: Nat, device: Device, now: int) -> int:
    """Translate every packet that waits in the device and write it back, and what the NAT sends by
    itself; return how many were written.

    `now` is in milliseconds, as for `Nat.translate`.  Raises DeviceError where the device does.
    """
    written = 0
    while (packet := device.read()) is not None:
        translated = bytearray(packet)
        if nat.translate(translated, now) == TRANSLATED:
            written += device.write(translated)
        while own := nat.outgoing():
            written += device.write(own)
    return written
