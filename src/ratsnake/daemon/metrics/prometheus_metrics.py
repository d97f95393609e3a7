"""What Prometheus is told: a table of metrics, and the collector that reads them at each scrape.

Names and help texts follow https://prometheus.io/docs/practices/naming/.  Numbers are read from the
engine when somebody asks and kept nowhere else.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Sample = tuple[tuple[str, ...], float]
Family = CounterMetricFamily | GaugeMetricFamily


class Picture(NamedTuple):
    """The NAT at one moment: its status object, and the rows of its ports."""

    status: dict[str, Any]
    ports: list[dict[str, Any]]


class Measure(NamedTuple):
    """A metric; a counter's name gets "_total" when it is written."""

    kind: type[Family]
    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Picture], Iterable[Sample]]

    @property
    def written(self) -> str:
        """The name of its samples."""
        return self.name + ("_total" if self.kind is CounterMetricFamily else "")


def _by_direction(part: str) -> Callable[[Picture], Iterable[Sample]]:
    return lambda picture: [
        ((name,), picture.status["counters"][name][part]) for name in ("outbound", "inbound")
    ]


def _counter(name: str) -> Callable[[Picture], Iterable[Sample]]:
    return lambda picture: [((), picture.status["counters"][name])]


def _used(name: str) -> Callable[[Picture], Iterable[Sample]]:
    return lambda picture: [((), picture.status["usage"][name])]


def _limit(name: str) -> Callable[[Picture], Iterable[Sample]]:
    return lambda picture: [((), picture.status["usage"]["limits"][name])]


def _ports(name: str) -> Callable[[Picture], Iterable[Sample]]:
    return lambda picture: [
        ((row["protocol"], row["external"]), row[name]) for row in picture.ports
    ]


def _drops(picture: Picture) -> Iterable[Sample]:
    return [((reason,), n) for reason, n in picture.status["counters"]["dropped"].items()]


def _build(picture: Picture) -> Iterable[Sample]:
    engine = "compiled" if picture.status["compiled"] else "interpreted"
    return [((picture.status["version"], engine, picture.status["device"]), 1)]


def _host(name: str) -> Callable[[Picture], Iterable[Sample]]:
    def read(picture: Picture) -> Iterable[Sample]:
        value = picture.status["host"][name]
        return [((), value if isinstance(value, int) else len(value))]

    return read


COUNTER, GAUGE = CounterMetricFamily, GaugeMetricFamily
MEASURES = (
    Measure(GAUGE, "ratsnake_build_info", "Version, engine and device of this NAT; always 1.",
            ("version", "engine", "device"), _build),
    Measure(GAUGE, "ratsnake_uptime_seconds", "Time since the NAT became ready.", (),
            lambda picture: [((), picture.status["uptime"])]),
    Measure(COUNTER, "ratsnake_packets", "Translated packets.", ("direction",),
            _by_direction("packets")),
    Measure(COUNTER, "ratsnake_bytes", "Bytes of translated packets, including IP headers.",
            ("direction",), _by_direction("bytes")),
    Measure(COUNTER, "ratsnake_dropped_packets",
            "Dropped packets by reason; `ratsnake status` explains the reasons.",
            ("reason",), _drops),
    Measure(COUNTER, "ratsnake_icmp_errors_sent", "ICMP errors that the NAT itself sent.", (),
            _counter("icmp_errors_sent")),
    Measure(COUNTER, "ratsnake_fragments_held",
            "Fragments that had to wait for the first one of their datagram.", (),
            _counter("fragments_held")),
    Measure(COUNTER, "ratsnake_mappings_made", "Mappings created.", (), _counter("mappings_made")),
    Measure(COUNTER, "ratsnake_sessions_opened", "Sessions opened.", (),
            _counter("sessions_opened")),
    Measure(COUNTER, "ratsnake_flows_gave_way",
            "Flows of hosts without an answer, ended to make room for others.", (),
            _counter("gave_way")),
    Measure(GAUGE, "ratsnake_mappings", "Current mappings.", (), _used("mappings")),
    Measure(GAUGE, "ratsnake_mappings_limit", "Limit on mappings.", (), _limit("mappings")),
    Measure(GAUGE, "ratsnake_sessions", "Current sessions.", (), _used("sessions")),
    Measure(GAUGE, "ratsnake_sessions_limit", "Limit on sessions.", (), _limit("sessions")),
    Measure(GAUGE, "ratsnake_inbound_sessions", "Current sessions opened from outside.", (),
            _used("inbound_sessions")),
    Measure(GAUGE, "ratsnake_inbound_sessions_limit", "Limit on sessions opened from outside.",
            (), _limit("inbound_sessions")),
    Measure(GAUGE, "ratsnake_host_problems",
            "Current problems of this host; `ratsnake doctor` lists them.", (), _host("problems")),
    Measure(COUNTER, "ratsnake_host_changes_restored",
            "Changes to this host that other programs undid and the NAT restored.", (),
            _host("restored")),
    Measure(COUNTER, "ratsnake_guard_dropped_packets",
            "Packets with an internal source that the guard kept from leaving by the WAN.",
            (), _host("guard_dropped")),
    Measure(COUNTER, "ratsnake_own_socket_packets",
            "Packets to a shared address that went to the host's own sockets.", (),
            _host("own_sockets")),
    Measure(GAUGE, "ratsnake_hosts", "Internal hosts that have mappings.", (), _used("hosts")),
    Measure(GAUGE, "ratsnake_ports_used", "Ports in use on an external address.",
            ("protocol", "external"), _ports("used")),
    Measure(GAUGE, "ratsnake_ports_limit", "Ports that mappings may use on an external address.",
            ("protocol", "external"), _ports("total")),
)  # fmt: skip
# Those of the library's own collector for the process, as far as the system tells them.
PROCESS = {
    "process_cpu_seconds_total": "CPU time that the process has used.",
    "process_max_fds": "File descriptors the process may have open.",
    "process_open_fds": "File descriptors the process has open.",
    "process_resident_memory_bytes": "Resident memory of the process.",
    "process_start_time_seconds": "When the process started, in seconds since 1970.",
    "process_virtual_memory_bytes": "Address space of the process; most of it is only reserved.",
}


class NatCollector(Collector):
    """Asks `look` at each scrape."""

    def __init__(self, look: Callable[[], Picture]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        picture = self._look()
        for measure in MEASURES:
            family = _family(measure)
            for labels, value in measure.read(picture):
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterator[Metric]:
        return map(_family, MEASURES)


def _family(measure: Measure) -> Family:
    return measure.kind(measure.name, measure.help, labels=measure.labels)


def registry(look: Callable[[], Picture]) -> CollectorRegistry:
    """All metrics of this process."""
    collectors = CollectorRegistry()
    collectors.register(NatCollector(look))
    ProcessCollector(registry=collectors)
    return collectors
