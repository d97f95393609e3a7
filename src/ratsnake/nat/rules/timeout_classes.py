"""The classes of timeouts.  A class's number is also the session row that heads its list."""

TCP_ESTABLISHED = 1
TCP_OPENING = 2
TCP_CLOSING = 3
UDP_IDLE = 4
ICMP_QUERY = 5
OTHER_IDLE = 6
TIMERS = 6

SWEEP = 64  # the most expired sessions that are ended in one go
ROOM = 32  # the most that are ended to make room for one packet
