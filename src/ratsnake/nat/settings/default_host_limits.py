"""How much of a NAT one internal host may have by default (RFC 6888 REQ-4).

A share of what there is, so that it fits 64,512 ports as well as the 240 of a MAP-E line: 80 %,
unless `host_share` says otherwise.  So one host is never all that is served; and one that is alone,
or is a router with a home network behind it, loses little: half of 240 ports would be too few for
it.
"""

from ..rules.behaviour import Sharing
from ..rules.behaviour_codes import POLICIES_OF_CLASS, STATIC
from .host_types import host_classes
from .setting_types import Pooling
from .validated_settings import Settings


def shares_of_a_host(settings: Settings) -> tuple[int, ...]:
    """The mappings that one host may have under each policy (`rules.behaviour_codes`): a share of
    the ports where no two mappings share one, else of all mappings.  Blocks and computed ports are
    shares already."""
    table = _share(settings, settings.limits.mappings)
    sizes = [len(external.ports) for external in settings.externals if external.ports]
    together = settings.pooling is Pooling.ARBITRARY
    ports = _share(settings, sum(sizes) if together else min(sizes, default=0))
    is_divided = settings.port_block > 0 or settings.deterministic
    shares = [0] * STATIC
    for number, behaviours in enumerate(host_classes(settings).behaviours):
        for protocol, one in enumerate(behaviours):
            is_shared = is_divided or one.sharing is not Sharing.EXCLUSIVE
            shares[number * POLICIES_OF_CLASS + protocol] = (
                table if is_shared else min(table, ports)
            )
    return tuple(shares)


def sessions_of_a_host(settings: Settings) -> int:
    return _share(settings, settings.limits.sessions)


def _share(settings: Settings, whole: int) -> int:
    """Rounded up.  All of it and one more is no limit: who counts meets the table's first."""
    share = settings.limits.host_share
    return whole + 1 if share == 100 else -(-whole * share // 100)
