"""LinuxTun on a real TUN, each test in a network namespace that ends with the test's thread."""

import ctypes
import errno
import fcntl
import functools
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from ratsnake.device import linux_tun, tun_constants, vnet_header
from ratsnake.device.linux_tun import LinuxTun, check_name
from ratsnake.device.packet_device import DeviceError, PollableDevice
from ratsnake.device.vnet_header import VnetHeader

CLONE_NEWNET = 0x40000000
SIOCSIFADDR, SIOCSIFNETMASK, SIOCGIFMTU, SIOCGIFTXQLEN = 0x8916, 0x891C, 0x8921, 0x8942
UDP_SEGMENT = 103
HERE, THERE = "192.0.2.1", "192.0.2.9"
ALL = tun_constants.OFFLOAD_SETS[0].features

libc = ctypes.CDLL(None, use_errno=True)

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists(tun_constants.TUN_PATH),
    reason="making a TUN needs root and /dev/net/tun",
)


def in_namespace(test):
    """Run a test in a thread with a network namespace of its own."""

    @functools.wraps(test)
    def isolated(*args, **kwargs):
        outcome = []

        def body():
            try:
                if libc.unshare(CLONE_NEWNET):
                    code = ctypes.get_errno()
                    raise OSError(code, f"unshare: {os.strerror(code)}")
                test(*args, **kwargs)
            except BaseException as e:
                outcome.append(e)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if outcome:
            raise outcome[0]

    return needs_root(isolated)


def interface_ioctl(request, name, value=bytes(24)):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        packed = struct.pack("=16s24s", name.encode(), value)
        return fcntl.ioctl(control, request, packed)[16:]


def set_address(name):
    for request, address in ((SIOCSIFADDR, HERE), (SIOCSIFNETMASK, "255.255.255.0")):
        value = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(address))
        interface_ioctl(request, name, value)


def delete(name):
    """RTM_DELLINK by hand: struct nlmsghdr, struct ifinfomsg (linux/rtnetlink.h)."""
    index = socket.if_nametoindex(name)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(struct.pack("=IHHIIBxHiII", 32, 17, 5, 1, 0, 0, 0, index, 0, 0))
        (error,) = struct.unpack_from("=i", netlink.recv(4096), 16)
        assert error == 0


def frame_of(fd, skip, accept=lambda packet: packet[0] >> 4 == 4 and packet[9] == 17):
    """The first frame whose packet, behind `skip` bytes, is IPv4 UDP; the kernel adds others."""
    deadline = time.monotonic() + 10
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while poll.poll(max(0, deadline - time.monotonic()) * 1000):
        frame = os.read(fd, 70000)
        if accept(frame[skip:]):
            return frame
    raise AssertionError("no such frame came within 10 seconds")


def turned_round(packet):
    """The packet with source and destination changed over, which leaves every checksum right."""
    ip, udp = packet[:20], packet[20:]
    return ip[:12] + ip[16:20] + ip[12:16] + udp[2:4] + udp[:2] + udp[4:]


def udp_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HERE, 4000))
    sock.connect((THERE, 5000))
    sock.settimeout(10)
    return sock


def refusing(*refused):
    """fcntl.ioctl, but refusing these (request, argument) pairs as an older kernel would."""

    def ioctl(fd, request, argument=0):
        if (request, argument) in refused:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return fcntl.ioctl(fd, request, argument)

    return ioctl


@in_namespace
def test_opens_with_the_strongest_offloads_of_this_kernel():
    with LinuxTun("ratsnake") as tun:
        sets = [offloads.features for offloads in tun_constants.OFFLOAD_SETS]
        assert tun.features in sets
        assert len(tun.notes) == sets.index(tun.features)
        assert tun.vnet_header
        assert tun.name == "ratsnake"
        assert socket.if_nametoindex("ratsnake")
        assert not os.get_blocking(tun.fileno())
        assert not os.get_inheritable(tun.fileno())


@in_namespace
def test_opens_without_offloads_when_told_to():
    with LinuxTun("ratsnake", offload=False) as tun:
        assert (tun.features, tun.vnet_header, tun.notes) == ((), False, ())
        device: PollableDevice = tun
        assert device.read() is None


@in_namespace
@pytest.mark.parametrize("refused", range(1, len(tun_constants.OFFLOAD_SETS) + 1))
def test_falls_back_one_set_at_a_time(monkeypatch, refused):
    sets = tun_constants.OFFLOAD_SETS
    pairs = [(tun_constants.TUNSETOFFLOAD, offloads.flags) for offloads in sets[:refused]]
    monkeypatch.setattr(linux_tun, "ioctl", refusing(*pairs))
    with LinuxTun("ratsnake") as tun:
        expected = sets[refused].features if refused < len(sets) else ()
        assert tun.features == expected
        assert tun.vnet_header == bool(expected)
        for offloads, note in zip(sets[:refused], tun.notes, strict=False):
            assert "+".join(offloads.features) in note
            assert offloads.needs in note
        tun.bring_up(1500)
        set_address("ratsnake")
        skip = vnet_header.VNET_SIZE if tun.vnet_header else 0
        with udp_socket() as sock:
            sock.send(b"hello")
            assert frame_of(tun.fileno(), skip)[skip:].endswith(b"hello")
    if not expected:
        assert "without" in tun.notes[-1]


@in_namespace
@pytest.mark.parametrize(
    "refused",
    [
        (tun_constants.TUNGETFEATURES, bytes(4)),
        (tun_constants.TUNSETVNETHDRSZ, struct.pack("=i", 10)),
    ],
)
def test_falls_back_to_no_vnet_header(monkeypatch, refused):
    monkeypatch.setattr(linux_tun, "ioctl", refusing(refused))
    with LinuxTun("ratsnake") as tun:
        assert (tun.features, tun.vnet_header) == ((), False)
        assert "vnet header" in tun.notes[0]
        assert tun.read() is None


@in_namespace
def test_name_in_use():
    with (
        LinuxTun("ratsnake"),
        pytest.raises(DeviceError, match="device ratsnake is the name of an interface that exists"),
    ):
        LinuxTun("ratsnake", offload=False)
    with pytest.raises(DeviceError, match="device lo is the name"):
        LinuxTun("lo")


@in_namespace
def test_without_the_capability():
    """capset(2) drops this thread's capabilities only; root still opens the file."""
    version_3 = struct.pack("=Ii", 0x20080522, 0)
    assert libc.capset(version_3, bytes(24)) == 0
    with pytest.raises(DeviceError, match="run as root or with CAP_NET_ADMIN"):
        LinuxTun("ratsnake")


@in_namespace
def test_leaves_no_descriptor_behind_when_it_fails():
    before = os.listdir("/proc/self/fd")
    with pytest.raises(DeviceError):
        LinuxTun("lo")
    assert os.listdir("/proc/self/fd") == before


@in_namespace
def test_bring_up_sets_mtu_queue_and_state():
    with LinuxTun("ratsnake") as tun:
        for mtu in (68, 1500, 65535):
            tun.bring_up(mtu)
            assert struct.unpack_from("=i", interface_ioctl(SIOCGIFMTU, "ratsnake")) == (mtu,)
        queue = struct.unpack_from("=i", interface_ioctl(SIOCGIFTXQLEN, "ratsnake"))
        assert queue == (linux_tun.QUEUE_LENGTH,)
        (flags,) = struct.unpack_from("=H", interface_ioctl(tun_constants.SIOCGIFFLAGS, "ratsnake"))
        assert flags & tun_constants.IFF_UP
        for mtu in (67, 65536, -1):
            with pytest.raises(ValueError, match=f"MTU {mtu} is out of range; right is 68 to"):
                tun.bring_up(mtu)


@in_namespace
def test_the_kernel_sends_nothing_of_its_own_by_it():
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")  # joins the routers' groups
    with LinuxTun("ratsnake", offload=False) as tun:
        tun.bring_up(1500)
        (flags,) = struct.unpack_from("=H", interface_ioctl(tun_constants.SIOCGIFFLAGS, "ratsnake"))
        assert not flags & tun_constants.IFF_MULTICAST
        addresses = Path("/proc/thread-self/net/if_inet6").read_text()
        assert "ratsnake" not in addresses


@in_namespace
def test_a_kernel_without_ipv6_is_done_without(monkeypatch):
    monkeypatch.setattr(tun_constants, "ADDR_GEN_MODE", "/nowhere/{}")
    with LinuxTun("ratsnake") as tun:
        tun.bring_up(1500)


@in_namespace
def test_a_queue_length_the_kernel_reserves_for_the_host_is_done_without(monkeypatch):
    real = linux_tun.ioctl

    def refuse(descriptor, request, *rest):
        if request == tun_constants.SIOCSIFTXQLEN:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return real(descriptor, request, *rest)

    monkeypatch.setattr(linux_tun, "ioctl", refuse)
    with LinuxTun("ratsnake") as tun:
        tun.bring_up(1500)
        (flags,) = struct.unpack_from("=H", interface_ioctl(tun_constants.SIOCGIFFLAGS, "ratsnake"))
        assert flags & tun_constants.IFF_UP


@in_namespace
def test_packets_go_both_ways_without_offloads():
    with LinuxTun("ratsnake", offload=False) as tun:
        tun.bring_up(1500)
        set_address("ratsnake")
        with udp_socket() as sock:
            sock.send(b"hello")
            packet = frame_of(tun.fileno(), 0)
            assert packet[12:20] == socket.inet_aton(HERE) + socket.inet_aton(THERE)
            assert tun.write(bytearray(turned_round(packet)))
            assert sock.recv(100) == b"hello"
        while tun.read() is not None:
            pass


@in_namespace
def test_frames_go_both_ways_with_a_vnet_header():
    with LinuxTun("ratsnake") as tun:
        tun.bring_up(1500)
        set_address("ratsnake")
        with udp_socket() as sock:
            sock.send(b"hello")
            frame = frame_of(tun.fileno(), vnet_header.VNET_SIZE)
            header = VnetHeader.parse(frame)
            assert header.flags & vnet_header.VNET_F_NEEDS_CSUM
            assert header.gso_type == vnet_header.VNET_GSO_NONE
            assert (header.csum_start, header.csum_offset) == (20, 6)
            os.write(tun.fileno(), header.build() + turned_round(frame[vnet_header.VNET_SIZE :]))
            assert sock.recv(100) == b"hello"
        for call in (tun.read, lambda: tun.write(b"")):
            with pytest.raises(DeviceError, match="use fileno"):
                call()


@in_namespace
def test_uso_hands_over_several_datagrams_as_one():
    with LinuxTun("ratsnake") as tun:
        if tun.features != ALL:
            pytest.skip("this kernel has no USO on a TUN (Linux 6.2 has)")
        tun.bring_up(1500)
        set_address("ratsnake")
        with udp_socket() as sock:
            sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 500)
            sock.send(bytes(4000))
            frame = frame_of(tun.fileno(), vnet_header.VNET_SIZE)
        header = VnetHeader.parse(frame)
        assert header.gso_type == vnet_header.VNET_GSO_UDP_L4
        assert header.gso_size == 500
        assert len(frame) == vnet_header.VNET_SIZE + 28 + 4000


@in_namespace
def test_a_packet_the_kernel_refuses_is_lost_and_no_error():
    with LinuxTun("ratsnake", offload=False) as tun:
        packet = bytes.fromhex("4500001400010000401100000a0000010a000002")
        assert not tun.write(packet)  # the interface is down
        tun.bring_up(1500)
        assert tun.write(packet)
        assert not tun.write(b"\x05" + packet[1:])  # neither IPv4 nor IPv6
        assert not tun.write(b"")


@in_namespace
def test_a_deleted_interface_is_an_error():
    with LinuxTun("ratsnake", offload=False) as tun:
        tun.bring_up(1500)
        delete("ratsnake")
        with pytest.raises(DeviceError, match="device ratsnake is gone"):
            tun.read()
        with pytest.raises(DeviceError, match="device ratsnake is gone"):
            tun.write(bytes(20))
        with pytest.raises(DeviceError, match="device ratsnake cannot be brought up: No such dev"):
            tun.bring_up(1500)


@in_namespace
def test_closing_removes_the_interface():
    tun = LinuxTun("ratsnake", offload=False)
    tun.close()
    tun.close()
    with pytest.raises(OSError):
        socket.if_nametoindex("ratsnake")
    for call in (tun.fileno, tun.read, lambda: tun.write(b"x")):
        with pytest.raises(DeviceError, match="device ratsnake is closed"):
            call()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOENT, "modprobe tun"),
        (errno.ENODEV, "modprobe tun"),
        (errno.EACCES, "run as root or with CAP_NET_ADMIN"),
        (errno.EPERM, "in a container"),
        (errno.EMFILE, os.strerror(errno.EMFILE)),
    ],
)
def test_says_why_the_driver_cannot_be_opened(monkeypatch, code, words):
    def fails(path, flags):
        raise OSError(code, os.strerror(code), path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fails)
        with pytest.raises(DeviceError) as caught:
            LinuxTun("ratsnake")
    assert str(caught.value).startswith("/dev/net/tun ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["r", "ratsnake", "tun-0.1_x", "a" * 15, "[1]"])
def test_good_names(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "has 0 characters"),
        ("a" * 16, "has 16 characters"),
        ("a/b", "has a character"),
        ("a b", "has a character"),
        ("a:b", "has a character"),
        ("tun%d", "has a character"),
        ("a\n", "has a character"),
        ("a\0b", "has a character"),
        ("caf\u00e9", "has a character"),
        (".", "keeps for itself"),
        ("..", "keeps for itself"),
        ("all", "keeps for itself"),
        ("default", "keeps for itself"),
    ],
)
def test_bad_names(name, words):
    with pytest.raises(ValueError, match=words) as caught:
        check_name(name)
    assert repr(name) in str(caught.value)
    with pytest.raises(ValueError, match=words):
        LinuxTun(name)
