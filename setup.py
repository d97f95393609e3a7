"""Compile every module that has a .pxd beside it, except the header-only ones.

RATSNAKE_INTERPRETED=1  build no extensions (the package then needs Cython at run time)
RATSNAKE_SANITIZE=1     AddressSanitizer and UndefinedBehaviorSanitizer
RATSNAKE_SANITIZE=fuzz  the same, and counters of the paths taken, for libFuzzer (clang only)
RATSNAKE_PROFILE=1      frame pointers and debug information, for perf
"""

import os
from pathlib import Path

from setuptools import Extension, setup

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
PROFILE = ["-g", "-fno-omit-frame-pointer"]
SANITIZE = {"1": ["-fsanitize=address,undefined"]}
SANITIZE["fuzz"] = ["-fsanitize=address,undefined,fuzzer-no-link"]


def module_name(header: Path) -> str:
    return ".".join(header.relative_to(SOURCE).with_suffix("").parts)


def flavour() -> tuple[list[str], list[str]]:
    """The arguments for the compiler and the linker."""
    if sanitize := os.environ.get("RATSNAKE_SANITIZE"):
        told = ["-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g1", "-O1"]
        return [*SANITIZE[sanitize], *told, "-DRATSNAKE_SANITIZE"], SANITIZE[sanitize]
    if os.environ.get("RATSNAKE_PROFILE"):
        return [*OPTIMIZE, *PROFILE], []
    return OPTIMIZE, []


def extension(header: Path) -> Extension:
    compile_args, link_args = flavour()
    return Extension(
        module_name(header),
        [str(header.with_suffix(".py"))],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )


def extensions() -> list[Extension]:
    if os.environ.get("RATSNAKE_INTERPRETED"):
        return []
    from Cython.Build import cythonize

    headers = [
        header
        for header in sorted(SOURCE.rglob("*.pxd"))
        if header.stem != "__init__" and module_name(header) not in HEADERS
    ]
    modules: list[Extension] = cythonize(
        [extension(header) for header in headers],
        build_dir="build/cython",
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


setup(ext_modules=extensions())
