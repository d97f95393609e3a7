"""What a NAT is told at its start, checked as a whole before anything is built."""

from collections.abc import Callable
from dataclasses import dataclass

from .host_types import check_hosts
from .settings_checks import (
    check_blocks,
    check_externals,
    check_families,
    check_forwarded_ports,
    check_internal,
    check_mtu,
    check_one_to_one,
    check_shares,
    check_untranslated,
)
from .static_forward import check_forwards
from .unvalidated_settings import RawSettings

# Those of a stage need what the stages before it have found right.
STAGES: tuple[tuple[Callable[[RawSettings], None], ...], ...] = (
    (
        check_internal,
        lambda settings: check_externals(settings.externals, settings.inside),
        lambda settings: check_mtu(settings.mtu),
    ),
    (
        check_hosts,
        check_blocks,
        check_shares,
        check_families,
        check_untranslated,
        lambda settings: check_one_to_one(settings.externals, settings.forwards),
        lambda settings: check_forwards(settings.forwards, settings.addresses, settings.inside),
    ),
    (check_forwarded_ports,),
)


def mistakes_of(settings: RawSettings) -> list[ValueError]:
    """What is wrong, each as Settings would raise it; [] where that is nothing."""
    found: list[ValueError] = []
    for checks in STAGES:
        for check in checks:
            try:
                check(settings)
            except ValueError as error:
                found.append(error)
        if found:
            break
    return found


@dataclass(frozen=True, slots=True)
class Settings(RawSettings):
    """What may stand together.  Raises ValueError "key: what is wrong and what is right"."""

    def __post_init__(self) -> None:
        for mistake in mistakes_of(self):
            raise mistake
