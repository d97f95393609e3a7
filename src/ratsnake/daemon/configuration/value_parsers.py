"""What a flag's text means: one function a kind of value.

Each raises ValueError saying what would be right.
"""

import re
from dataclasses import dataclass, fields
from enum import Enum
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

from ...device.linux_tun import check_name
from ...host.kernel.interface_address import InterfaceAddress
from ...nat.settings.address_realm import Network
from ...nat.settings.setting_types import External, Limits, Timeouts
from ...portset import read_ports
from ..user_errors import near
from .event_kinds import KINDS, SINKS
from .placeholder_addresses import OfInterface
from .toml_values import seconds_of

INTERFACE, IPV6 = "interface:", "ipv6"
MOST_DIGITS = (
    12  # int() raises on more than 4,300; twelve are beyond every range, and say so better
)


def external(text: str) -> External | OfInterface:
    """ADDR, or interface:IFACE for what is found there; whose ports are still to be filled in
    (None), or ADDR=PORTS."""
    address, equals, ports = text.partition("=")
    own = read_ports(ports) if equals else None
    if address.startswith(INTERFACE):
        return OfInterface(interface_address(address), own)
    try:
        parsed = ip_address(address.replace("%", " "))
    except ValueError:
        raise ValueError(
            "must be an IPv4 or IPv6 address, such as 203.0.113.1, or one with its own ports, such"
            " as 203.0.113.1=5000-5999, or interface:IFACE for the address an interface has"
        ) from None
    return External(parsed, own)


def interface_address(text: str) -> InterfaceAddress:
    """interface:IFACE, its IPv4 address, or interface:IFACE/ipv6."""
    name, slash, family = text.removeprefix(INTERFACE).partition("/")
    check_name(name)
    if slash and family != IPV6:
        raise ValueError(
            f"must be interface:IFACE, for its IPv4 address, or interface:IFACE/{IPV6}"
        )
    return InterfaceAddress(name, 6 if slash else 4)


def prefix(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        try:
            meant = ip_interface(text).network
        except ValueError:
            raise ValueError("must be an IPv4 or IPv6 prefix, such as 192.168.1.0/24") from None
        raise ValueError(f"has bits set beyond the prefix length; did you mean {meant}?") from None


def whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("must be a whole number, such as 512")
    return int(text.lstrip("0")[:MOST_DIGITS] or "0")


def switch(text: str) -> bool:
    if text in ("yes", "no"):
        return text == "yes"
    raise ValueError("must be yes or no")


@dataclass(frozen=True)
class OneOf:
    """Reads one of some words."""

    words: type[Enum]

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(word.value for word in self.words)

    def __call__(self, text: str) -> Enum:
        if text in self.known:
            return self.words(text)
        raise ValueError(f"must be one of {', '.join(self.known)}{near(text, self.known)}")


def sink(text: str) -> str:
    """A word, or a path with a slash in it, so that no misspelt word becomes a file."""
    if text in SINKS or ("/" in text and "\0" not in text):
        return text
    raise ValueError(
        f"must be {', '.join(SINKS)} or a file's path with a / in it{near(text, SINKS)}"
    )


def file_path(text: str) -> Path:
    if not text or text.endswith("/") or "\0" in text:
        raise ValueError("must be the path of a file, such as /var/lib/ratsnake/state")
    return Path(text)


def known_kind(text: str) -> str:
    """A kind of event."""
    if text in KINDS:
        return text
    raise ValueError(f"must be one of {', '.join(KINDS)}{near(text, KINDS)}")


def timeout(text: str) -> tuple[str, int]:
    return _assignment(text, Timeouts, "CLASS=SECONDS in whole seconds, such as udp=300")


def limit(text: str) -> tuple[str, int]:
    return _assignment(text, Limits, "NAME=NUMBER, such as host-sessions=2000")


def device_name(text: str) -> str:
    check_name(text)
    return text


def socket_mode(text: str) -> int:
    if not re.fullmatch("0?6[0246]{2}", text):
        raise ValueError(
            "must be an octal mode that lets the owner read and write, and of the others whom it"
            " lets in, such as 0600 or 0660"
        )
    return int(text, 8)


def names_of(owner: type[Timeouts | Limits]) -> str:
    """The names of what may be set, with the defaults."""
    return ", ".join(f"{field.name.replace('_', '-')} ({field.default})" for field in fields(owner))


def table_names(owner: type[Timeouts | Limits]) -> list[str]:
    return [field.name.replace("_", "-") for field in fields(owner)]


def _assignment(text: str, owner: type[Timeouts | Limits], right: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    seconds = seconds_of(number) if owner is Timeouts else None
    if seconds is not None:
        raise ValueError(f"must be in whole seconds, without a unit: {name}={seconds}")
    if not equals or not (number.isascii() and number.isdigit()):
        raise ValueError(f"must be {right}")
    known = table_names(owner)
    if name not in known:
        raise ValueError(f"no {name!r}{near(name, known) or '; there are ' + ', '.join(known)}")
    return name.replace("-", "_"), whole_number(number)
