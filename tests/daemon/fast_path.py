"""Run by test_fast_path: a compiled worker moves packets of flows that exist, between socket pairs.

Prints the number of its thread once the flows exist, waits for a line, moves the packets, and
prints what the thread allocated meanwhile (with counting_malloc preloaded).
"""

import ctypes
import socket
import sys
import threading

from ratsnake.daemon.worker import Worker
from ratsnake.nat.nat import Nat
from support.bench import R1, SEED, settings
from support.flavours import load
from support.packets import tcp, udp

HOST = "192.168.1.10"
FLOWS = 100
ROUNDS = 50


def main() -> None:
    near, device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    device.setblocking(False)
    nat: Nat = load("compiled").Nat(settings(load("compiled"), "full-cone"), SEED)
    worker = Worker(nat, device.fileno(), False)
    numbers: list[int] = []

    def run() -> None:
        numbers.append(threading.get_native_id())
        worker.run()

    thread = threading.Thread(target=run)
    thread.start()
    packets = [udp((HOST, 4000 + n), (R1, 53)) for n in range(FLOWS)]
    packets += [tcp((HOST, 4000 + n), (R1, 80)) for n in range(FLOWS)]
    for _ in range(20):  # until the indexes, which have grown by these flows, have moved
        exchange(near, packets)
    allocated = getattr(ctypes.CDLL(None), "allocations_of", lambda _: 0)
    before = allocated(numbers[0])
    print(numbers[0], flush=True)
    sys.stdin.readline()
    for _ in range(ROUNDS):
        exchange(near, packets)
    print(allocated(numbers[0]) - before, before, flush=True)
    worker.stop()
    thread.join()


def exchange(near: socket.socket, packets: list[bytearray]) -> None:
    """Ten at a time, for a socket pair's queue is short."""
    for start in range(0, len(packets), 10):
        for packet in packets[start : start + 10]:
            near.send(packet)
        for _ in packets[start : start + 10]:
            near.recv(2048)


if __name__ == "__main__":
    main()
