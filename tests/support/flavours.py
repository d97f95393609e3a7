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
    "wire.faults",
    "wire.icmp",
    "wire.ipv4",
    "wire.octets",
    "wire.packet",
    "wire.tcp",
    "wire.types",
    "wire.udp",
    "portset",
    "nat.behaviour",
    "nat.endpoints",
    "nat.generator",
    "nat.hashing",
    "nat.index",
    "nat.nat",
    "nat.policies",
    "nat.ports",
    "nat.reasons",
    "nat.records",
    "nat.rewrite",
    "nat.scope",
    "nat.secret",
    "nat.sessions",
    "nat.settings",
    "nat.tally",
    "nat.tcp",
    "nat.timers",
    "device.offload",
    "device.vnet_header",
    "daemon.worker",
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

    The names tests need most are attributes: Nat, Settings, Timeouts, Limits, Behaviour, PRESETS,
    REASONS, PortSet, Worker.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules
        self.Nat = modules["nat.nat"].Nat
        self.Settings = modules["nat.settings"].Settings
        self.Timeouts = modules["nat.settings"].Timeouts
        self.Limits = modules["nat.settings"].Limits
        self.Behaviour = modules["nat.behaviour"].Behaviour
        self.PRESETS = modules["nat.behaviour"].PRESETS
        self.REASONS = modules["nat.reasons"].REASONS
        self.PortSet = modules["portset"].PortSet
        self.Worker = modules["daemon.worker"].Worker


@functools.cache
def load(flavour: str) -> Engine:
    """The engine, "interpreted" or "compiled"; skips where there are no extensions."""
    ours = {name: module for name, module in sys.modules.items() if name.startswith("ratsnake")}
    for name in ours:
        del sys.modules[name]
    finders = [SourceOnly] if flavour == "interpreted" else []
    sys.meta_path[:0] = finders
    try:
        modules = {name: importlib.import_module(f"ratsnake.{name}") for name in MODULES}
    finally:
        del sys.meta_path[: len(finders)]
        for name in [name for name in sys.modules if name.startswith("ratsnake")]:
            del sys.modules[name]
        sys.modules.update(ours)
    compiled = not (modules["nat.nat"].__file__ or "").endswith(".py")
    if compiled != (flavour == "compiled"):
        pytest.skip("the extensions are not built")
    return Engine(modules)
