# C side of timers.py: the same numbers.
cdef enum:
    TCP_ESTABLISHED = 1
    TCP_TRANSITORY = 2
    UDP_IDLE = 3
    ICMP_QUERY = 4
    TIMERS = 4
    SWEEP = 256
