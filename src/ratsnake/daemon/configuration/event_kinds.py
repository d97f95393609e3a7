"""Which events there are, and what may be asked for: words only, without the engine."""

from ...nat.events.event_record import (
    LIMITS_WANTED,
    MAPPINGS_WANTED,
    REFUSALS_WANTED,
    SESSIONS_WANTED,
)

# What may be asked for, and what the engine is then to note.  What becomes of addresses and of the
# host is the daemon's.
KINDS = {
    "mapping": MAPPINGS_WANTED,
    "session": SESSIONS_WANTED,
    "refusal": REFUSALS_WANTED,
    "limit": LIMITS_WANTED,
    "address": 0,
    "host": 0,
}
USUAL_KINDS = tuple(kind for kind in KINDS if kind != "session")
# The kind of each event.  What was lost is told to everybody.
KIND_OF = {
    "mapping-made": "mapping",
    "mapping-removed": "mapping",
    "session-opened": "session",
    "session-ended": "session",
    "refusal": "refusal",
    "refusals-suppressed": "refusal",
    "limit": "limit",
    "address": "address",
    "address-lost": "address",
    "address-given-up": "address",
    "address-back": "address",
    "host-restored": "host",
    "host-problem": "host",
    "host-right": "host",
}
LOST = "lost"

# Where the log of events may go, but for files.
STDOUT = "stdout"
JOURNALD = "journald"
SYSLOG = "syslog"
SINKS = (STDOUT, JOURNALD, SYSLOG)
