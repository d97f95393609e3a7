# C side of timeout_classes.py: the same numbers.
cdef enum:
    TCP_ESTABLISHED = 1
    TCP_OPENING = 2
    TCP_CLOSING = 3
    UDP_IDLE = 4
    ICMP_QUERY = 5
    OTHER_IDLE = 6
    TIMERS = 6
    SWEEP = 64
    ROOM = 32
