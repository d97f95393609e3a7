"""Which ports are whose by arithmetic (RFC 7422), where settings ask for it."""

from ipaddress import IPv4Address, IPv4Network

from .deterministic_nat import Deterministic
from .unvalidated_settings import RawSettings


def deterministic_table(settings: RawSettings) -> Deterministic:
    """The RFC 7422 mapping these settings ask for; raises ValueError where it does not fit."""
    prefixes = [network for network in settings.internal if isinstance(network, IPv4Network)]
    if len(prefixes) != len(settings.internal):
        raise ValueError(
            "deterministic: IPv6 prefixes have more addresses than there are ports; right are "
            "IPv4 prefixes only"
        )
    pools = [
        (external.address, tuple(external.ports))
        for external in settings.externals
        if external.ports is not None and isinstance(external.address, IPv4Address)
    ]
    if not pools:
        raise ValueError("deterministic: at least one IPv4 external address with ports is needed")
    return Deterministic(prefixes, pools, settings.port_block)
