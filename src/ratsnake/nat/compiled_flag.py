"""Which flavour of the engine this is."""

from . import nat

COMPILED: bool = not (nat.__file__ or "").endswith(".py")
