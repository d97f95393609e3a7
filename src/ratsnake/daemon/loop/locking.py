"""How a thread beside the packet loop makes the tables stand still for a moment."""

from collections.abc import Callable
from contextlib import AbstractContextManager

Lock = Callable[[], AbstractContextManager[object]]
