"""One module for each thing that reads what others wrote.

Each has

    run(octets)     show it these bytes; raises whatever is a finding
    seeds()         inputs to begin with
    INSTRUMENTED    the Python modules whose paths count beside those of the compiled ones

and its inputs in corpus/NAME.
"""

TARGETS = (
    "packets",
    "fragments",
    "packet_loop",
    "state_file",
    "control_requests",
    "configuration",
    "notations",
    "capture_files",
)
