"""How property tests run here: the same examples every time, and no clock."""

import os
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings

Test = TypeVar("Test", bound=Callable[..., None])


def examples(count: int, sanitized: int | None = None) -> Callable[[Test], Test]:
    """`count` examples of a test; the fixtures it takes must not change from one to the next.

    A build with sanitizers, where each takes ten times as long, gets `sanitized` of them.
    """
    fewer = sanitized is not None and "RATSNAKE_SANITIZED" in os.environ
    return settings(
        max_examples=sanitized if fewer else count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
