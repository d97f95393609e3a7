# C side of behaviour_codes.py: the numbers of the enumerations in behaviour.py.
cdef enum:
    EIM = 0
    ADM = 1
    APDM = 2
    EIF = 0
    ADF = 1
    APDF = 2
    EXCLUSIVE = 0
    OVERLOAD = 1
    DISTINCT = 2
    PRESERVE = 0
    RANDOM = 1
    SEQUENTIAL = 2
    SHARES = 3
    POLICIES_OF_CLASS = 8
    STATIC = 128
