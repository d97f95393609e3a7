"""NAT types for some of the hosts: what is said of a prefix, and the classes of hosts it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..rules.behaviour import Behaviour
from ..rules.behaviour_codes import MOST_CLASSES
from .address_realm import Network

if TYPE_CHECKING:
    from .unvalidated_settings import RawSettings

# They are tried one after the other for each new session.
MOST_HOST_PREFIXES = 256


@dataclass(frozen=True, slots=True)
class HostTypes:
    """The NAT types of the hosts in a prefix.

    A protocol that has none here has that of the next shorter prefix around this one, or that of
    all hosts.
    """

    prefix: Network
    tcp: Behaviour | None = None
    udp: Behaviour | None = None
    icmp: Behaviour | None = None
    udplite: Behaviour | None = None
    dccp: Behaviour | None = None
    sctp: Behaviour | None = None
    other: Behaviour | None = None

    @property
    def behaviours(self) -> tuple[Behaviour | None, ...]:
        """In the order of the protocol numbers in `wire.packet_fields`."""
        return (
            self.tcp,
            self.udp,
            self.icmp,
            self.udplite,
            self.dccp,
            self.sctp,
            self.other,
        )


class HostClasses(NamedTuple):
    """`behaviours` are those of each class, of class 0 those of all hosts that `prefixes` does not
    say otherwise of; `prefixes`, the longest first, each has the number of its class."""

    behaviours: tuple[tuple[Behaviour, ...], ...]
    prefixes: tuple[tuple[Network, int], ...]


def host_classes(settings: RawSettings) -> HostClasses:
    """Prefixes whose hosts have the same types are one class."""
    classes = [settings.behaviours]
    prefixes = []
    for types in sorted(settings.hosts, key=lambda one: one.prefix.prefixlen, reverse=True):
        around = _around(settings.hosts, types.prefix)
        behaviours = tuple(
            next((one for one in choices if one is not None), general)
            for *choices, general in zip(
                *(one.behaviours for one in around), settings.behaviours, strict=True
            )
        )
        if behaviours not in classes:
            classes.append(behaviours)
        prefixes.append((types.prefix, classes.index(behaviours)))
    return HostClasses(tuple(classes), tuple(prefixes))


def deciding_types(hosts: Sequence[HostTypes], host: Network, protocol: int) -> HostTypes | None:
    """Which of them say a host's type for a protocol; None where it has that of all hosts."""
    return next((one for one in _around(hosts, host) if one.behaviours[protocol] is not None), None)


def _around(hosts: Sequence[HostTypes], prefix: Network) -> list[HostTypes]:
    """Those of prefixes that a prefix lies in, itself too; the longest first."""
    around = [
        one
        for one in hosts
        if one.prefix.version == prefix.version and prefix.subnet_of(one.prefix)  # type: ignore[arg-type]
    ]
    return sorted(around, key=lambda one: one.prefix.prefixlen, reverse=True)


def check_hosts(settings: RawSettings) -> None:
    """Raises ValueError as the other checks of settings do."""
    if len(settings.hosts) > MOST_HOST_PREFIXES:
        raise ValueError(
            f"host-nat: {len(settings.hosts)} prefixes; at most {MOST_HOST_PREFIXES} work, so give"
            " hosts of one type addresses of one prefix"
        )
    seen = set()
    for types in settings.hosts:
        prefix = types.prefix
        if prefix in seen:
            raise ValueError(
                f"host-nat: {prefix} is given twice; right is once, with all its types"
            )
        seen.add(prefix)
        if all(behaviour is None for behaviour in types.behaviours):
            raise ValueError(f"host-nat: {prefix} has no type; give it one, such as full-cone")
        if not any(
            prefix.version == inside.version and prefix.subnet_of(inside)  # type: ignore[arg-type]
            for inside in settings.internal
        ):
            raise ValueError(
                f"host-nat: {prefix} does not lie in any internal prefix"
                f" ({', '.join(map(str, settings.internal))}); give internal hosts"
            )
        if not any(
            prefix.version == inside.version and prefix.overlaps(inside)
            for inside in settings.inside
        ):
            raise ValueError(
                f"host-nat: {prefix} lies outside by internal-except; give internal hosts"
            )
    if len(host_classes(settings).behaviours) > MOST_CLASSES:
        raise ValueError(
            f"host-nat: more than {MOST_CLASSES - 1} different combinations of types; give hosts"
            " the same types where you can"
        )
