# C side of connection_states.py: the same numbers.
cdef enum:
    OPEN = 0
    INIT = 1
    ESTABLISHED = 2
    CLIENT_FIN = 3
    SERVER_FIN = 4
    BOTH_FIN = 5
    RESET = 6
    REOPENED = 7
    SIMULTANEOUS = 8
    SERVER_ACKED = 9
    CLIENT_ACKED = 10
    STATES = 11
    CLIENT = 0
    SERVER = 1
    SYN = 0
    FIN = 1
    RST = 2
    OTHER = 3
    SYN_ACK = 4
    EVENTS = 5
    INVALID = 5
    KINDS = 256
    FLAG_SYN = 2
    FLAG_ACK = 16
