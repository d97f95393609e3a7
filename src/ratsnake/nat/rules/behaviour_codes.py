"""The numbers of `behaviour`'s enumerations, for the compiled modules (behaviour_codes.pxd)."""

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

# How much of a remote tells mappings of one port apart: nothing, address, address and port.
SHARES = 3

# Hosts that have the same NAT types are a class, at most MOST_CLASSES.  A policy is numbered by its
# class and its protocol, which are the upper and the lower bits; those of mappings that follow a
# static forward, one a protocol, come after all others.
POLICIES_OF_CLASS = 8
MOST_CLASSES = 16
STATIC = MOST_CLASSES * POLICIES_OF_CLASS
