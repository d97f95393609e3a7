"""The engine for a user's settings, or an error the user understands."""

from ...nat.nat import Nat
from ...nat.settings.validated_settings import Settings
from ..user_errors import RunError


def make_nat(settings: Settings, seed: bytes) -> Nat:
    """Raises RunError where the tables do not fit into memory."""
    try:
        return Nat(settings, seed)
    except MemoryError:
        limits = settings.limits
        raise RunError(
            f"--limit: tables of {limits.mappings} mappings and {limits.sessions} sessions do not "
            f"fit into memory; give smaller limits"
        ) from None
