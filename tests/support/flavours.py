"""Import the engine twice into one process: from its source, and from its extensions."""

import functools
import importlib
import importlib.machinery
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

import ratsnake

SOURCE = Path(ratsnake.__file__).parents[1]
MODULES = (
    "wire.checksum",
    "wire.crc32c",
    "wire.dccp",
    "wire.extensions",
    "wire.faults",
    "wire.icmp",
    "wire.icmpv6",
    "wire.inspection",
    "wire.ip",
    "wire.ipv4",
    "wire.ipv6",
    "wire.octets",
    "wire.packet",
    "wire.protocols",
    "wire.quotation",
    "wire.sctp",
    "wire.tcp",
    "wire.tcp_options",
    "wire.transport",
    "wire.types",
    "wire.udp",
    "wire.udplite",
    "portset",
    "nat.succession.adopter",
    "nat.translation.admission",
    "nat.succession.adoption",
    "nat.allocation.allocator",
    "nat.rules.behaviour",
    "nat.tables.bits",
    "nat.allocation.blocks",
    "nat.answers.bucket",
    "nat.allocation.claim",
    "nat.rules.connection",
    "nat.views.copies",
    "nat.packets.coverage",
    "nat.settings.deterministic",
    "nat.allocation.endpoints",
    "nat.events.event_record",
    "nat.events.event_ring",
    "nat.events.events",
    "nat.explain.onlooker",
    "nat.succession.flow_form",
    "nat.views.errand",
    "nat.views.flow_page",
    "nat.translation.flows",
    "nat.settings.forward_text",
    "nat.settings.forwarding",
    "nat.settings.forwards",
    "nat.translation.forecast",
    "nat.packets.fragments",
    "nat.tables.generator",
    "nat.tables.hashing",
    "nat.views.flush",
    "nat.views.host_traffic",
    "nat.tables.hosts",
    "nat.packets.identifications",
    "nat.tables.index",
    "nat.tables.mappings",
    "nat.nat",
    "nat.settings.nptv6",
    "nat.packets.outbox",
    "nat.packets.parcels",
    "nat.rules.policies",
    "nat.translation.pressure",
    "nat.views.port_page",
    "nat.allocation.ports",
    "nat.allocation.positions",
    "nat.rules.reasons",
    "nat.tables.records",
    "nat.succession.remnants",
    "nat.succession.restoration",
    "nat.answers.replies",
    "nat.packets.rewrite",
    "nat.views.row_filter",
    "nat.views.rows",
    "nat.settings.scope",
    "nat.tables.secret",
    "nat.packets.segment_size",
    "nat.allocation.selection",
    "nat.tables.sessions",
    "nat.settings.checks",
    "nat.settings.parts",
    "nat.settings.settings",
    "nat.settings.share_table",
    "nat.settings.shares",
    "nat.settings.stated",
    "nat.succession.succession",
    "nat.allocation.taken",
    "nat.allocation.tally",
    "nat.rules.timers",
    "nat.answers.unsolicited",
    "nat.views.views",
    "nat.translation.window",
    "device.offload",
    "device.vnet_header",
    "daemon.loop.batch",
    "daemon.loop.capture",
    "daemon.loop.desk",
    "daemon.loop.live_nat",
    "daemon.loop.worker",
    "bench.engine_costs",
    "bench.engine_gaps",
    "bench.engine_load",
    "bench.engine_nat",
    "bench.engine_ports",
    "bench.gap_loop",
    "bench.histogram",
    "bench.null_forwarder",
    "bench.small_packets",
    "bench.sockets",
    "bench.tcp_load",
    "bench.udp_load",
)


class SourceOnly:
    """Finds ratsnake.* as .py even where an extension lies beside it."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.split(".")[0] != "ratsnake":
            return None
        for folder in path or [str(SOURCE)]:  # type: ignore[attr-defined]
            loader = (importlib.machinery.SourceFileLoader, [".py"])
            spec = importlib.machinery.FileFinder(str(folder), loader).find_spec(name)
            if spec:
                return spec
        return None


class Engine:
    """One flavour: `engine.nat.nat` is its module ratsnake.nat.nat, and so on.

    The names tests need most are attributes: Nat, Settings, External, Timeouts, Limits, Behaviour,
    PRESETS, REASONS, PortSet, Worker, LiveNat.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules
        self.Nat = modules["nat.nat"].Nat
        self.Settings = modules["nat.settings.settings"].Settings
        self.External = modules["nat.settings.parts"].External
        self.Timeouts = modules["nat.settings.parts"].Timeouts
        self.Limits = modules["nat.settings.parts"].Limits
        self.Behaviour = modules["nat.rules.behaviour"].Behaviour
        self.PRESETS = modules["nat.rules.behaviour"].PRESETS
        self.REASONS = modules["nat.rules.reasons"].REASONS
        self.PortSet = modules["portset"].PortSet
        self.Worker = modules["daemon.loop.worker"].Worker
        self.LiveNat = modules["daemon.loop.live_nat"].LiveNat


@functools.cache
def load(flavour: str) -> Engine:
    """The engine, "interpreted" or "compiled"; skips where there are no extensions."""
    modules = from_source() if flavour == "interpreted" else installed()
    compiled = not (modules["nat.nat"].__file__ or "").endswith(".py")
    if compiled != (flavour == "compiled"):
        pytest.skip("the extensions are not built")
    return Engine(modules)


def installed() -> dict[str, ModuleType]:
    """The modules everybody imports.  Not a second copy: extensions cannot be loaded twice, and
    would go on with the first copy's enumerations while tests had the second's."""
    return {name: importlib.import_module(f"ratsnake.{name}") for name in MODULES}


def from_source() -> dict[str, ModuleType]:
    """A copy of the modules beside the installed ones."""
    ours = {name: module for name, module in sys.modules.items() if name.startswith("ratsnake")}
    for name in ours:
        del sys.modules[name]
    sys.meta_path.insert(0, SourceOnly)
    try:
        return installed()
    finally:
        sys.meta_path.remove(SourceOnly)
        for name in [name for name in sys.modules if name.startswith("ratsnake")]:
            del sys.modules[name]
        sys.modules.update(ours)
