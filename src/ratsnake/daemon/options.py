"""What a user may ask of the NAT: a table of flags, and what each accepts.

The tables are the only place that knows a flag's meaning; the command line takes its arguments
from them and hands back text. Every complaint is a UsageError that names flag and value.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from ..device.linux_tun import check_name
from ..nat.behaviour import PRESETS, Behaviour
from ..nat.settings import DEFAULT_PRESET, PRIVATE_PREFIXES, Settings, Timeouts
from ..portset import PortSet
from .errors import UsageError
from .protocol import default_path


def _external(text: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError("must be an IPv4 address, such as 203.0.113.1") from None


def _internal(text: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        try:
            meant = ipaddress.IPv4Interface(text).network
        except ValueError:
            raise ValueError("must be an IPv4 prefix, such as 192.168.1.0/24") from None
        raise ValueError(f"has bits set beyond the prefix length; did you mean {meant}?") from None


def _behaviour(text: str) -> Behaviour:
    if text in PRESETS:
        return PRESETS[text].behaviour
    raise ValueError(f"no such NAT type; {_near(text, PRESETS, 'see `ratsnake types`')}")


def _timeout(text: str) -> tuple[str, int]:
    name, equals, seconds = text.partition("=")
    if not equals or not (seconds.isascii() and seconds.isdigit()):
        raise ValueError("must be CLASS=SECONDS in whole seconds, such as udp=300")
    classes = [field.name.replace("_", "-") for field in fields(Timeouts)]
    if name not in classes:
        known = f"the classes are {', '.join(classes)}"
        raise ValueError(f"no such timeout class; {_near(name, classes, known)}")
    # int() raises on more than 4,300 digits; twelve are beyond the range too, and say so better.
    return name.replace("-", "_"), int(seconds.lstrip("0")[:12] or "0")


def _device(text: str) -> str:
    check_name(text)
    return text


def _near(text: str, known: Iterable[str], otherwise: str) -> str:
    near = get_close_matches(text, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


@dataclass(frozen=True)
class Flag:
    """One flag: its key (`--KEY`), what it accepts, and what it is when not given.

    `parse` raises ValueError saying what would be right. `default` is text a user could have
    written (a tuple of texts when the flag repeats); None where there is none.
    """

    key: str
    metavar: str
    parse: Callable[[str], Any]
    help: str
    default: str | tuple[str, ...] | None = None
    required: bool = False
    repeat: bool = False

    @property
    def name(self) -> str:
        return f"--{self.key}"

    def read(self, text: str) -> Any:
        """The value of `text`; raises UsageError."""
        try:
            return self.parse(text)
        except ValueError as error:
            raise UsageError(f"{self.name} {text}: {error}") from None


# Endpoint-independent mapping is RFC 4787 REQ-1's MUST; APDF is the strictest filter to go with
# it. REQ-8 recommends EIF or ADF where openness matters more: full-cone, restricted-cone.
DEFAULT_TYPE = DEFAULT_PRESET

NAT_FLAGS = (
    Flag("external", "ADDR", _external, "the outside IPv4 address", required=True),
    Flag(
        "internal",
        "PREFIX",
        _internal,
        "an inside prefix; may repeat (default: the RFC 1918 and RFC 6598 prefixes)",
        default=tuple(map(str, PRIVATE_PREFIXES)),
        repeat=True,
    ),
    Flag(
        "nat",
        "TYPE",
        _behaviour,
        f"the NAT type, one of `ratsnake types` (default: {DEFAULT_TYPE})",
        default=DEFAULT_TYPE,
    ),
    Flag("tcp", "TYPE", _behaviour, "the NAT type for TCP (default: that of --nat)"),
    Flag("udp", "TYPE", _behaviour, "the NAT type for UDP (default: that of --nat)"),
    Flag("icmp", "TYPE", _behaviour, "the NAT type for ICMP Echo (default: that of --nat)"),
    Flag(
        "ports",
        "SPEC",
        PortSet.parse,
        "the outside ports to use, such as 5000-5999,7000 (default: 1024-65535)",
        default="1024-65535",
    ),
    Flag(
        "timeout",
        "CLASS=SECONDS",
        _timeout,
        "how long an idle session lives; may repeat. Classes: "
        + ", ".join(f"{f.name.replace('_', '-')} ({f.default})" for f in fields(Timeouts)),
        default=(),
        repeat=True,
    ),
)

DEVICE_FLAG = Flag(
    "device", "NAME", _device, "the TUN device's name (default: ratsnake)", default="ratsnake"
)
CONTROL_FLAG = Flag(
    "control",
    "PATH",
    str,
    "the control socket (default: /run/ratsnake/DEVICE.sock for root, else"
    " $XDG_RUNTIME_DIR/ratsnake/DEVICE.sock)",
)
LAN_FLAG = Flag(
    "lan",
    "IFACE",
    _device,
    "route what comes in by this interface through the NAT, until exit",
)
SOCKET_FLAGS = (DEVICE_FLAG, CONTROL_FLAG)
RUN_FLAGS = (*NAT_FLAGS, DEVICE_FLAG, LAN_FLAG, CONTROL_FLAG)

Texts = Mapping[str, str | list[str] | None]


@dataclass(frozen=True)
class NatOptions:
    """Settings for the engine, and the name of the type chosen for each protocol."""

    settings: Settings
    types: dict[str, str]


@dataclass(frozen=True)
class RunOptions:
    """All that `ratsnake run` was told."""

    nat: NatOptions
    device: str
    lan: str | None
    control: str


def read_flags(flags: Iterable[Flag], texts: Texts) -> dict[str, Any]:
    """The value of every flag, by key; raises UsageError."""
    values: dict[str, Any] = {}
    for flag in flags:
        given = texts.get(flag.key)
        text = flag.default if given is None else given
        if text is None and flag.required:
            raise UsageError(f"{flag.name} {flag.metavar} is needed: {flag.help}")
        if text is None:
            values[flag.key] = None
        elif isinstance(text, str):
            values[flag.key] = flag.read(text)
        else:
            values[flag.key] = tuple(flag.read(one) for one in text)
    return values


def nat_options(texts: Texts) -> NatOptions:
    """What NAT_FLAGS say; raises UsageError."""
    values = read_flags(NAT_FLAGS, texts)
    general = texts.get("nat") or DEFAULT_TYPE
    types = {protocol: str(texts.get(protocol) or general) for protocol in ("tcp", "udp", "icmp")}
    try:
        timeouts = Timeouts(**dict(values["timeout"]))
    except ValueError as error:
        raise UsageError(f"--timeout {error}") from None
    try:
        settings = Settings(
            external=values["external"],
            internal=values["internal"],
            ports=values["ports"],
            timeouts=timeouts,
            tcp=PRESETS[types["tcp"]].behaviour,
            udp=PRESETS[types["udp"]].behaviour,
            icmp=PRESETS[types["icmp"]].behaviour,
        )
    except ValueError as error:  # "key: message", the keys being the flags'
        raise UsageError(f"--{error}") from None
    return NatOptions(settings, types)


def socket_path(texts: Texts) -> str:
    """Where SOCKET_FLAGS say the control socket is; raises UsageError."""
    values = read_flags(SOCKET_FLAGS, texts)
    return values["control"] or default_path(values["device"])


def run_options(texts: Texts) -> RunOptions:
    """What RUN_FLAGS say; raises UsageError."""
    values = read_flags((DEVICE_FLAG, LAN_FLAG), texts)
    return RunOptions(
        nat=nat_options(texts),
        device=values["device"],
        lan=values["lan"],
        control=socket_path(texts),
    )
