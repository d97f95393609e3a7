from ratsnake.wire.types cimport M32, u32, u64
from .flows cimport Flows
from .mappings cimport FREE
from .policies cimport ADM, APDM, EIM, STATIC
from .reasons cimport FRAGMENT_HELD
from .records cimport Mappings, Partners, Sessions
from .row_filter cimport RowFilter
from .sessions cimport OPENED_OUTSIDE
from .timers cimport TIMERS
