"""Configuration files and flags: each is refused by UsageError, or makes options that a NAT can be
built of, and whose differences and effective text can be told."""

from collections.abc import Iterator
from dataclasses import replace

from ratsnake.daemon.configuration.configuration_file import NOTHING, Asked, asked, parse, read
from ratsnake.daemon.configuration.flag_table import RUN_FLAGS
from ratsnake.daemon.configuration.placeholder_addresses import sources
from ratsnake.daemon.configuration.settings_diff import differences
from ratsnake.daemon.user_errors import UsageError
from ratsnake.nat.nat import Nat
from ratsnake.nat.settings.setting_types import Limits
from support.wire import packet

from ..configurations import HOSTS, REMOTES
from ..files import FOLDER

SEED = bytes(range(80))
PATH = FOLDER / "ratsnake.toml"
SMALL = Limits(64, 64, 16, 8, 0, 0, 0, 4, 10)
MOST_EXTERNALS = 8  # beyond that memory is what is tried
KEYS = tuple(flag.key for flag in RUN_FLAGS)
REPEATED = {flag.key for flag in RUN_FLAGS if flag.repeat or flag.table}


def from_flags(text: str) -> dict[str, str | list[str] | None]:
    """A line a flag: a letter for its key, then the text as the command line has it."""
    flags: dict[str, str | list[str] | None] = {}
    for line in text.split("\n"):
        if not line:
            continue
        key = KEYS[ord(line[0]) % len(KEYS)]
        if key == "config":
            continue
        before = flags.get(key)
        if key in REPEATED:
            flags[key] = [*(before if isinstance(before, list) else []), line[1:]]
        else:
            flags[key] = line[1:]
    return flags


def wanted(octets: bytes) -> Asked:
    """The first octet says which: a file as it is on disk, text of a file, or flags."""
    kind, rest = octets[:1], octets[1:]
    if kind <= b"\x0f":
        PATH.write_bytes(rest)
        return asked(read(PATH), {})
    if kind < b"F":
        return asked(parse(rest.decode(errors="replace"), "FILE"), {})
    return asked(NOTHING, from_flags(rest.decode(errors="surrogateescape")))


def run(octets: bytes) -> None:
    try:
        given = wanted(octets)
    except UsageError as error:
        assert str(error)
        return
    differences(asked(NOTHING, {"external": ["203.0.113.9"]}).texts, given.texts)
    settings = given.options.nat.settings
    if sources(settings) or len(settings.externals) > MOST_EXTERNALS:
        return
    try:
        small = replace(settings, limits=SMALL)
    except ValueError:
        return
    try:
        nat = Nat(small, SEED)
    except MemoryError:
        return
    for source, destination in ((HOSTS[0], REMOTES[0]), (HOSTS[3], REMOTES[3])):
        nat.translate(packet("udp", (source, 4000), (destination, 53)), 0)


FILES = (
    '[nat]\nexternal = ["203.0.113.1"]\n',
    '[nat]\nexternal = ["interface:wan0", "2001:db8:9::1=5000-5999"]\nports = "v6plus:33"\n'
    'internal = ["192.168.0.0/16", "2001:db8:1::/64"]\n'
    '[host]\nlan = ["br0", "wg0"]\nwan = "wan0"\nshare-address = true\n',
    '[nat]\nexternal = ["203.0.113.1=1024-2000,8080", "203.0.113.5"]\n'
    '[rules]\nforward = ["tcp:8080=192.168.1.10:80"]\n'
    'one-to-one = ["203.0.113.5=192.168.1.5"]\nno-nat = ["198.51.100.0/24"]\n'
    '[types]\nnat = "full-cone"\nudp = "eim/adf+parity"\n'
    "[timeouts]\nudp = 180\n[limits]\nhost-sessions = 2000\n"
    '[events]\nsink = "journald"\nkinds = ["mapping"]\n[state]\nfile = "/var/lib/x"\nperiod = 9\n',
    '[nat]\nexternal = ["203.0.113.1"]\ninternal = ["10.0.0.0/24"]\nport-block = 64\n'
    "deterministic = true\n[packets]\nmtu = 1460\n",
    '[nat]\nexternal = ["203.0.113.1"]\n[[hosts]]\nprefix = "10.0.0.9/32"\nnat = "full-cone"\n'
    '[[hosts]]\nprefix = "10.0.0.0/8"\nudp = "symmetric"\nother = "eim/eif"\n',
    '[nat]\nexternal = ["203.0.113.1"]\n[rules]\nnptv6 = "fd01:203:405::/48=2001:db8:1::/48"\n',
)
EXAMPLES = {
    **{"internal": "10.0.0.0/8", "tcp": "symmetric", "other": "adm/adf", "mtu": "1400"},
    **{"forward": "tcp:8080=192.168.1.10:80", "no-nat": "198.51.100.0/24", "timeout": "udp=9"},
    "host-nat": "192.168.1.50=udp:full-cone,tcp:symmetric",
    **{"nptv6": "fd01:203:405::/48=2001:db8:1::/48", "limit": "sessions=9", "lan": "br0"},
    **{"control-mode": "0660", "user": "root", "sink": "stdout", "listen": "9469"},
}


def seeds() -> Iterator[bytes]:
    for kind in b"\0 ":
        for text in FILES:
            yield bytes([kind]) + text.encode()
    yield b"\0\xff\xfe"
    letters = {key: chr(number + len(KEYS) * 2) for number, key in enumerate(KEYS)}
    for flag in RUN_FLAGS:
        example = flag.default if isinstance(flag.default, str) else flag.metavar
        text = f"{letters['external']}203.0.113.1\n"
        text += f"{letters[flag.key]}{EXAMPLES.get(flag.key, example)}\n"
        yield b"F" + text.encode()
