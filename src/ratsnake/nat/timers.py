"""The classes of timeouts.  A class's number is also the session row that heads its list."""

TCP_ESTABLISHED = 1
TCP_TRANSITORY = 2
UDP_IDLE = 3
ICMP_QUERY = 4
TIMERS = 4

SWEEP = 256  # the most expired sessions that are ended in one go
