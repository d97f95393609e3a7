"""`python -m ratsnake.bench.null_program`: the null forwarder as a program, told like any peer
(peer.py).

It makes the device, brings it up and forwards until a signal ends it.  It sets no routes.
"""

import os
import signal
import sys
from ipaddress import IPv4Address

from ..daemon.startup import MTU
from ..device.linux_tun import LinuxTun
from ..device.packet_device import DeviceError
from .null_forwarder import NullForwarder


def main() -> int:
    """Raises KeyError when a variable is missing."""
    # The loop has no place to look at a signal: the kernel's own way of ending it is taken.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    internal, external = (
        int(IPv4Address(os.environ[f"RATSNAKE_BENCH_{name}"])) for name in ("HOST", "EXTERNAL")
    )
    with LinuxTun(os.environ["RATSNAKE_BENCH_DEVICE"]) as device:
        if not device.vnet_header:
            raise DeviceError(f"device {device.name}: {'; '.join(device.notes)}")
        forwarder = NullForwarder(device.fileno(), internal, external)
        device.bring_up(MTU)
        return forwarder.run()


if __name__ == "__main__":
    try:
        sys.exit(os.strerror(main()))
    except DeviceError as error:
        sys.exit(f"null forwarder: {error}")
