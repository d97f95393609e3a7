"""The numbers of `behaviour`'s enumerations, for the compiled modules (behaviour_codes.pxd)."""

from ratsnake.wire.packet_fields import PROTOCOLS

from .behaviour import Filtering, Mapping, Selection, Sharing

EIM = int(Mapping.EIM)
ADM = int(Mapping.ADM)
APDM = int(Mapping.APDM)
EIF = int(Filtering.EIF)
ADF = int(Filtering.ADF)
APDF = int(Filtering.APDF)
EXCLUSIVE = int(Sharing.EXCLUSIVE)
OVERLOAD = int(Sharing.OVERLOAD)
DISTINCT = int(Sharing.DISTINCT)
PRESERVE = int(Selection.PRESERVE)
RANDOM = int(Selection.RANDOM)
SEQUENTIAL = int(Selection.SEQUENTIAL)

# A protocol has two rows of policy: `protocol` for mappings made by packets, and this much further
# on that for mappings that follow a static forward.
STATIC = PROTOCOLS
