# C side of reasons.py: the same numbers.
cdef enum:
    TRANSLATED = 0
    SOURCE = 18
    DESTINATION = 19
    STATUS_REQUEST = 20
    TCP_FLAGS = 21
    NOT_SYN = 22
    NO_SESSION = 23
    NO_MAPPING = 24
    FILTERED = 25
    NO_PORT = 26
    MAPPING_LIMIT = 27
    SESSION_LIMIT = 28
    INBOUND_LIMIT = 29
    DEVICE_REFUSED = 30
    REASONS_COUNT = 31
