"""One module for each thing that reads what others wrote.

Each has

    run(octets)     show it these bytes; raises whatever is a finding
    seeds()         inputs to begin with

and its inputs in corpus/NAME.
"""

# Of each the Python modules whose paths count beside those of the compiled ones.
TARGETS: dict[str, tuple[str, ...]] = {
    "packets": (),
    "fragments": (),
    "packet_loop": (),
    "state_file": ("ratsnake.daemon.state",),
    "control_requests": ("ratsnake.daemon", "ratsnake.portset", "ratsnake.nat.settings"),
    "configuration": (
        *("ratsnake.daemon.configuration", "ratsnake.daemon.user_errors", "ratsnake.portset"),
        *("ratsnake.nat.settings", "ratsnake.nat.rules", "ratsnake.device", "ratsnake.host"),
        "tomllib",
    ),
    "notations": ("ratsnake", "ipaddress"),
    "stun_responses": ("ratsnake.stun",),
    "capture_files": ("ratsnake.device", "ratsnake.daemon.capture_replay"),
}
