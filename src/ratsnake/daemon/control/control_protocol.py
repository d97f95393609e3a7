"""The control protocol: what both ends of the control socket agree on.

A Unix stream socket, for root and its owner only, or for whom its mode and group let in; what the
kernel says of the peer is checked as well (daemon/control/peer_credentials.py).
The client sends one request, a JSON object on one line of at most REQUEST_LIMIT bytes:

    {"command": "status"}        or "doctor", "mappings", "sessions", "ports", "hosts", "watch",
                                 "capture", "explain", "flush", "reload", "forward", "forwards"

The server answers in JSON lines and closes:

    {...}                        one object per row; `status` has exactly one
    {"done": true}               the last line of a whole answer; with "next": N, "generation": G
                                 where rows are left

or, at any point, {"error": "why"} as the last line; with "exit": 1 or 2, the exit status of a
command that fails so, the reason is a whole message by itself. An answer that ends without either
was cut off. Rows are copied from the tables in pages of PAGE, each page consistent in itself; what
opens or closes between two pages may be missing or seen.

A request for the rows of a table may say which rows (daemon/views/row_request.py), where to start,
and after how many to stop; all of it may be left out:

    {"command": "sessions", "protocol": "udp", "host": "192.168.1.0/24", "external": "203.0.113.1",
     "remote": "[2001:db8::]:53", "start": 0, "limit": 1000}

The NAT passes by what is not wanted without making a row of it.  It stops with the page by which
`limit` rows are sent; the `start` of who wants to go on is then the last line's "next", with the
"generation" that came with it.  Rows lie elsewhere once the NAT was told other settings: the answer
is then an error, also half-way, and who asked begins again.

`watch` has no end: the server sends events, in the form of docs/events.md, as they happen, until
the client leaves. The request may say which:

    {"command": "watch", "kinds": ["mapping"], "protocol": "udp", "host": "192.168.1.10",
     "destinations": true}

`kinds` are those of daemon/configuration/event_kinds.py (default: all but session); an event must
be of the `protocol` and of the internal address `host` where these are given; remote endpoints come
with `destinations`. At most WATCHERS watch at once. One that does not keep up loses events, and is
sent {"event": "lost", "events": how many} in their place.

`capture` has no end either, and serves one client at a time:

    {"command": "capture", "protocol": "udp", "host": "192.168.1.10", "remote": "198.51.100.1"}

Each condition may be missing; `host` and `remote` must be among the packet's addresses before or
after. Its rows are {"number", "time_ns" (since 1970), "side" ("before", "after", or "own" of what
the NAT itself sends), "verdict", "packet" (base64)}, and {"missed": how many} where buffers were
full; the first row is {"missed": 0}, when it has begun.

`explain` has exactly one row, whose fields are those of ratsnake.nat's Explanation:

    {"command": "explain", "protocol": "udp", "source": "192.168.1.10", "source_port": 4000,
     "destination": "198.51.100.1", "destination_port": 53, "inbound": false}

`inbound` asks about the packet that comes back, to the outside endpoint of `source`.

`flush` ends flows: those of a filter as above, without `start` and `limit`, or all.

    {"command": "flush", "protocol": "udp", "host": "192.168.1.10"}       or {..., "all": true}

Its rows are {"mappings", "sessions"}: how many it has ended so far; the last one is of the whole.
Without `remote` whole mappings end; with it the sessions to such remotes, and mappings with their
last.  What is ended stays ended where the client leaves meanwhile.

`reload` and `forward` change the settings:

    {"command": "reload"}        reads the configuration file anew
    {"command": "forward", "add": "tcp:8080=192.168.1.10:80"}      or "remove"

With "again": true the forward that is added may be there already.

Both have one row, {"changed": [{"key", "old", "new"}], "kept", "ended": sessions, "notes",
"warnings": [texts], "file"}. The row of `forward` also has "origin", as below, and "by_flag":
whether a flag of `ratsnake run` wins over the file's forwards; its "file" is null where the NAT
runs without. `forwards` lists the static forwards,
rows of {"forward", "protocols", "external", "external_ports", "internal", "internal_ports",
"remotes", "origin": "configured" or "live"}; it changes nothing.

`doctor` looks at the host anew, makes again what others have undone, and has one row, {"problems":
[{"what", "command"}], "restored", "recent", "external"}, as in `status`; "recent" are the commands
of what was made again last.

What changes the NAT or its host (CHANGING) is not for everybody, whatever the socket's mode.

What `hosts` takes and answers is in daemon/views/busiest_hosts.py.

A row's fields are those of MappingRow, SessionRow and PortRow in nat/views/row_tuples.py; `status`
is described in daemon/views/status_object.py. Fields may be added, none changes its meaning.
"""

import os

from ..user_errors import UsageError

REQUEST_LIMIT = 4096  # bytes, newline included
PAGE = 256  # rows copied between two batches of packets
CLIENTS = 8  # served at once, and as many of root's and the owner's; one more is told so
CLIENTS_OF_USER = 4  # of these, of one other user
BACKLOG = 64  # clients that wait to be taken
IDLE_SECONDS = 0.5  # after which a client without a request makes room for another
REQUEST_SECONDS = 5.0  # for the whole request to arrive
STALL_SECONDS = 10.0  # without the client taking a byte of the answer
PATH_LIMIT = 107  # bytes: sun_path of unix(7), less its closing zero
WATCHERS = 4  # of the clients, so that others find a place beside them
CONFIGURED, LIVE = "configured", "live"  # where a forward comes from
CHANGING = ("flush", "reload", "forward", "doctor")  # commands that are not for everybody

ROOT_FOLDER = "/run/ratsnake"


def default_path(device: str) -> str:
    """Where the control socket of `device` is by default; raises UsageError where nowhere is."""
    if os.geteuid() == 0:
        return f"{ROOT_FOLDER}/{device}.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if not runtime:
        raise UsageError("XDG_RUNTIME_DIR is not set: say where the control socket is by --control")
    return f"{runtime}/ratsnake/{device}.sock"


def path_of_running(device: str) -> str:
    """Where to ask the NAT of `device`: the user's own, or else the one that is root's or a
    service's, whose control group the user may belong to.  Raises UsageError likewise.
    """
    service = f"{ROOT_FOLDER}/{device}.sock"
    if not os.environ.get("XDG_RUNTIME_DIR") and os.path.exists(service):
        return service
    own = default_path(device)
    return own if os.path.exists(own) or not os.path.exists(service) else service


def is_default(path: str) -> bool:
    """Whether `path` lies in a folder that is ratsnake's own, to be made when missing."""
    folder = os.path.dirname(path)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return folder == ROOT_FOLDER or bool(runtime) and folder == f"{runtime}/ratsnake"
