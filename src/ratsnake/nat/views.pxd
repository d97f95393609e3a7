from ratsnake.wire.types cimport M32, u32, u64
from .flows cimport Flows
from .policies cimport ADM, APDM, EIM, STATIC
from .reasons cimport FRAGMENT_HELD
from .records cimport Mappings, Sessions
from .sessions cimport LIVE, OPENED_OUTSIDE
from .timers cimport TIMERS
