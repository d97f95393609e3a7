# What type checkers need to know of cython: they see the interpreted side.
from contextlib import AbstractContextManager
from typing import Literal

compiled: Literal[False]
nogil: AbstractContextManager[None]
