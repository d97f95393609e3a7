"""What a NAT is told at its start, checked as a whole before anything is built."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Settings(RawSettings):
    """What may stand together.  Raises ValueError "key: what is wrong and what is right"."""

    def __post_init__(self) -> None:
        check_internal(self)
        check_externals(self.externals, self.inside)
        check_blocks(self)
        check_shares(self)
        check_mtu(self.mtu)
        check_families(self)
        check_untranslated(self)
        check_one_to_one(self.externals, self.forwards)
        check_forwards(self.forwards, self.addresses, self.inside)
        check_forwarded_ports(self)
