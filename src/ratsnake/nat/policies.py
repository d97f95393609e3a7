"""The numbers of the enumerations in `behaviour`, for the compiled modules (policies.pxd)."""

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
