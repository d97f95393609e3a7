"""Compile every module that has a .pxd beside it, except the header-only ones.

RATSNAKE_INTERPRETED=1  build no extensions (the package then needs Cython at run time)
RATSNAKE_SANITIZE=1     AddressSanitizer and UndefinedBehaviorSanitizer
RATSNAKE_SANITIZE=fuzz  the same, and counters of the paths taken, for libFuzzer (clang only)
RATSNAKE_PROFILE=1      frame pointers and debug information, for perf
"""

import gc
import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

SOURCE = Path("src")
# Leaf helpers and record layouts: their .pxd is inlined into every user, their .py is the
# interpreted twin, so there is nothing to compile.
HEADERS = {
    "ratsnake.wire.integer_types",
    "ratsnake.wire.byte_order",
    "ratsnake.wire.checksum",
    "ratsnake.wire.header_faults",
    "ratsnake.wire.packet_fields",
    "ratsnake.wire.ipv4",
    "ratsnake.wire.ipv6",
    "ratsnake.nat.tables.row_layouts",
    "ratsnake.nat.events.event_record",
    "ratsnake.nat.views.row_copies",
    "ratsnake.nat.rules.drop_reasons",
    "ratsnake.nat.rules.timeout_classes",
    "ratsnake.nat.rules.connection_states",
    "ratsnake.nat.rules.behaviour_codes",
    "ratsnake.nat.tables.bit_operations",
    "ratsnake.nat.tables.keyed_hash",
    "ratsnake.device.vnet_header",
    "ratsnake.device.system_calls",
    "ratsnake.daemon.loop.fair_lock",
    "ratsnake.bench.load_sockets",
    "ratsnake.daemon.loop.request_mailbox",
}
OPTIMIZE = ["-O3", "-g0", "-Werror=shift-count-overflow"]
# No packet waits for these, so they are compiled in half the time.
OFF_THE_PACKET_PATH = ("ratsnake.nat.explain.", "ratsnake.nat.handover.", "ratsnake.nat.views.")
PER_PACKET = {"ratsnake.nat.views.packet_loop_call", "ratsnake.nat.views.traffic_counters"}
PROFILE = ["-g", "-fno-omit-frame-pointer"]
SANITIZE = {"1": ["-fsanitize=address,undefined"]}
SANITIZE["fuzz"] = ["-fsanitize=address,undefined,fuzzer-no-link"]

CYTHON_FOLDER = "build/cython"
# What Cython adds to every module (its function type and the like) is compiled once, in this one.
SHARED = "ratsnake._cython_shared"
SHARED_SOURCE = SHARED.replace(".", "/") + ".c"
# Cython's trees are full of cycles that last as long as a module's translation, so looking for
# garbage among them takes half of the time.  This many objects are looked at at once.
OBJECTS_BETWEEN_COLLECTIONS = 500_000


def module_name(header: Path) -> str:
    return ".".join(header.relative_to(SOURCE).with_suffix("").parts)


def flavour(name: str) -> tuple[list[str], list[str]]:
    """The arguments for the compiler and the linker."""
    if sanitize := os.environ.get("RATSNAKE_SANITIZE"):
        told = ["-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g1", "-O1"]
        return [*SANITIZE[sanitize], *told, "-DRATSNAKE_SANITIZE"], SANITIZE[sanitize]
    if os.environ.get("RATSNAKE_PROFILE"):
        return [*OPTIMIZE, *PROFILE], []
    if name == SHARED or (name.startswith(OFF_THE_PACKET_PATH) and name not in PER_PACKET):
        return [*OPTIMIZE, "-O1"], []
    return OPTIMIZE, []


def extension(name: str, source: str) -> Extension:
    compile_args, link_args = flavour(name)
    return Extension(
        name,
        [source],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )


def extensions() -> list[Extension]:
    if os.environ.get("RATSNAKE_INTERPRETED"):
        return []
    from Cython import Utils
    from Cython.Build import cythonize

    headers = {
        module_name(header): header
        for header in sorted(SOURCE.rglob("*.pxd"))
        if header.stem != "__init__" and module_name(header) not in HEADERS
    }
    modules: list[Extension] = cythonize(
        [
            extension(SHARED, SHARED_SOURCE),
            *(extension(name, str(header.with_suffix(".py"))) for name, header in headers.items()),
        ],
        build_dir=CYTHON_FOLDER,
        nthreads=os.cpu_count() or 1,
        shared_utility_qualified_name=SHARED,
        # All modules must be of the Cython that made the shared one.
        force=not Utils.file_generated_by_this_cython(f"{CYTHON_FOLDER}/{SHARED_SOURCE}"),
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "annotation_typing": True,
            "binding": True,
        },
    )
    return modules


class BuildExtensions(build_ext):
    """Says how many modules the compiler is to compile, and each that is done (tools/build.py)."""

    def build_extensions(self) -> None:
        self.outdated = {
            module.name
            for module in self.extensions
            if self.force or newer_group(module.sources, self.get_ext_fullpath(module.name))
        }
        print(f"modules to compile: {len(self.outdated)}", flush=True)
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        super().build_extension(ext)
        if ext.name in self.outdated:
            print(f"compiled {ext.name}", flush=True)


gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
if __name__ == "__main__":  # another process that translates may import this file too
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExtensions})
