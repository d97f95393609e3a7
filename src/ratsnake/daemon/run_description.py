"""What a run tells of itself: for its status, and in the line that says it is ready."""

from .. import __version__
from ..device.linux_tun import LinuxTun
from ..nat.compiled_flag import COMPILED
from ..nat.rules.behaviour import name_of
from ..nat.settings.validated_settings import Settings
from ..nat.views.row_tuples import PROTOCOL_NAMES
from ..portset.port_summary import port_summary
from .configuration.option_parsing import RunOptions
from .host_integration.host_values import HostValues
from .views.status_object import Facts, HostNatTypes, Outside

FEW_RANGES = 4  # of ports are written out: a shared address seldom has more
USUAL = ("tcp", "udp", "icmp")  # the protocols whose NAT types are always told


def facts_of(options: RunOptions, host_values: HostValues, device: LinuxTun) -> Facts:
    """Of options that fit this host by the host values."""
    return Facts(
        version=__version__,
        device=device.name,
        compiled=COMPILED,
        offload=tuple(device.features),
        external=outside(options, host_values),
        types=options.nat.types,
        host_types=host_nat_types(options.nat.settings),
    )


def host_nat_types(settings: Settings) -> tuple[HostNatTypes, ...]:
    """The NAT types of their own that hosts have, in the order they were given."""
    return tuple(
        HostNatTypes(
            str(one.prefix),
            {
                protocol: name_of(behaviour)
                for protocol, behaviour in zip(PROTOCOL_NAMES, one.behaviours, strict=True)
                if behaviour is not None
            },
        )
        for one in settings.hosts
    )


def outside(options: RunOptions, host_values: HostValues) -> tuple[Outside, ...]:
    """The external addresses, and those that are waited for."""
    followed = {address: source for source, address in host_values.addresses.items()}
    there = []
    for external in options.nat.settings.externals:
        source = followed.get(external.address)
        there.append(
            Outside(
                str(external.address),
                str(external.ports) if external.ports else None,
                str(source) if source else None,
                host_values.lost.get(source) if source else None,
            )
        )
    missing = [
        Outside(None, None, str(source), problem)
        for source, problem in host_values.lost.items()
        if source not in host_values.addresses
    ]
    return (*there, *missing)


def ready(facts: Facts) -> str:
    types = " ".join(
        f"{protocol}={name}"
        for protocol, name in facts.types.items()
        if protocol in USUAL or name != facts.types[USUAL[0]]
    )
    external = ",".join(one.address for one in facts.external if one.address)
    ports = {one.ports for one in facts.external if one.ports}
    shown = ports.pop() if len(ports) == 1 else "several"
    many = port_summary(shown, FEW_RANGES)
    return (
        f"ready: {facts.device} external={external} ports={f'({many})' if many else shown} {types}"
        f" offload={','.join(facts.offload) or 'none'}"
        f" engine={'compiled' if facts.compiled else 'interpreted'}"
    )


def state(facts: Facts) -> str:
    """Likewise, with what is missing."""
    lost = [one.lost for one in facts.external if one.lost]
    return "; ".join([ready(facts), *lost, *(one.what for one in facts.problems)])
