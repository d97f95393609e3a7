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
    "wire.ipv6_extension_headers",
    "wire.header_faults",
    "wire.icmp",
    "wire.icmpv6",
    "wire.parsed_values",
    "wire.ip",
    "wire.ipv4",
    "wire.ipv6",
    "wire.byte_order",
    "wire.packet_fields",
    "wire.protocols",
    "wire.quoted_packet",
    "wire.sctp",
    "wire.tcp",
    "wire.tcp_options",
    "wire.upper_layer",
    "wire.integer_types",
    "wire.udp",
    "wire.udplite",
    "portset",
    "nat.handover.flow_insertion",
    "nat.translation.session_admission",
    "nat.handover.flow_transfer",
    "nat.allocation.endpoint_allocator",
    "nat.rules.behaviour",
    "nat.tables.bit_operations",
    "nat.allocation.port_blocks",
    "nat.error_responses.token_bucket",
    "nat.allocation.exact_endpoint_check",
    "nat.rules.connection_states",
    "nat.views.row_copies",
    "nat.packets.fragment_coverage",
    "nat.settings.deterministic_nat",
    "nat.allocation.sticky_ports",
    "nat.events.event_record",
    "nat.events.event_ring",
    "nat.events.event_recorder",
    "nat.explain.read_only_lookup",
    "nat.handover.flow_record",
    "nat.views.packet_loop_call",
    "nat.views.flow_page",
    "nat.translation.flow_lifecycle",
    "nat.settings.static_forward_text",
    "nat.settings.static_forward",
    "nat.settings.forward_table",
    "nat.settings.host_policies",
    "nat.settings.host_types",
    "nat.translation.prefetch",
    "nat.packets.fragment_tracking",
    "nat.tables.random_generator",
    "nat.tables.keyed_hash",
    "nat.views.flow_flush",
    "nat.views.host_traffic",
    "nat.tables.host_table",
    "nat.packets.ipv4_identification",
    "nat.tables.hash_index",
    "nat.tables.mapping_table",
    "nat.nat",
    "nat.settings.nptv6",
    "nat.packets.output_queue",
    "nat.packets.packet_pool",
    "nat.rules.behaviour_codes",
    "nat.translation.flow_eviction",
    "nat.views.port_usage",
    "nat.allocation.port_pools",
    "nat.allocation.port_positions",
    "nat.rules.drop_reasons",
    "nat.tables.row_layouts",
    "nat.handover.auxiliary_state",
    "nat.handover.flow_restoration",
    "nat.error_responses.icmp_errors",
    "nat.packets.header_rewrite",
    "nat.views.row_filter",
    "nat.views.row_tuples",
    "nat.settings.address_realm",
    "nat.tables.hash_secret",
    "nat.packets.mss_clamping",
    "nat.allocation.port_selection",
    "nat.tables.session_table",
    "nat.settings.settings_checks",
    "nat.settings.setting_types",
    "nat.settings.validated_settings",
    "nat.settings.deterministic_nat_factory",
    "nat.settings.default_host_limits",
    "nat.settings.unvalidated_settings",
    "nat.handover.nat_replacement",
    "nat.allocation.port_overloading",
    "nat.allocation.counter_table",
    "nat.rules.timeout_classes",
    "nat.error_responses.unsolicited_syns",
    "nat.views.table_pages",
    "nat.translation.tcp_reset_window",
    "device.vnet_header_validation",
    "device.vnet_header",
    "daemon.loop.frame_batch",
    "daemon.loop.packet_capture",
    "daemon.loop.request_mailbox",
    "daemon.loop.live_nat",
    "daemon.loop.packet_loop",
    "bench.engine_costs",
    "bench.engine_gaps",
    "bench.engine_load",
    "bench.engine_nat",
    "bench.engine_ports",
    "bench.gap_loop",
    "bench.histogram",
    "bench.null_forwarder",
    "bench.small_packets",
    "bench.load_sockets",
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
    PRESETS, REASONS, PortSet, PacketLoop, LiveNat.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules
        self.Nat = modules["nat.nat"].Nat
        self.Settings = modules["nat.settings.validated_settings"].Settings
        self.External = modules["nat.settings.setting_types"].External
        self.Timeouts = modules["nat.settings.setting_types"].Timeouts
        self.Limits = modules["nat.settings.setting_types"].Limits
        self.Behaviour = modules["nat.rules.behaviour"].Behaviour
        self.PRESETS = modules["nat.rules.behaviour"].PRESETS
        self.REASONS = modules["nat.rules.drop_reasons"].REASONS
        self.PortSet = modules["portset"].PortSet
        self.PacketLoop = modules["daemon.loop.packet_loop"].PacketLoop
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
