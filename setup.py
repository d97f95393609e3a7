"""Compile every module that has a .pxd beside it, except the header-only ones.

RATSNAKE_INTERPRETED=1  build no extensions (the package then needs Cython at run time)
RATSNAKE_SANITIZE=1     AddressSanitizer and UndefinedBehaviorSanitizer
"""

import os
from pathlib import Path

from setuptools import Extension, setup

SOURCE = Path("src")
# Leaf helpers and record layouts: their .pxd is inlined into every user, their .py is the
# interpreted twin, so there is nothing to compile.
HEADERS = {
    "ratsnake.wire.types",
    "ratsnake.wire.octets",
    "ratsnake.wire.checksum",
    "ratsnake.wire.faults",
    "ratsnake.wire.packet",
    "ratsnake.wire.ipv4",
    "ratsnake.wire.ipv6",
    "ratsnake.nat.records",
    "ratsnake.nat.reasons",
    "ratsnake.nat.timers",
    "ratsnake.nat.connection",
    "ratsnake.nat.policies",
    "ratsnake.nat.bits",
    "ratsnake.nat.hashing",
    "ratsnake.device.vnet_header",
    "ratsnake.device.system",
    "ratsnake.daemon.lock",
}
OPTIMIZE = ["-O3", "-g0", "-Werror=shift-count-overflow"]
SANITIZE = ["-fsanitize=address,undefined"]


def module_name(header: Path) -> str:
    return ".".join(header.relative_to(SOURCE).with_suffix("").parts)


def extension(header: Path, sanitize: bool) -> Extension:
    compile_args = (
        [*SANITIZE, "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1"]
        if sanitize
        else OPTIMIZE
    )
    return Extension(
        module_name(header),
        [str(header.with_suffix(".py"))],
        extra_compile_args=compile_args,
        extra_link_args=SANITIZE if sanitize else [],
    )


def extensions() -> list[Extension]:
    if os.environ.get("RATSNAKE_INTERPRETED"):
        return []
    from Cython.Build import cythonize

    sanitize = bool(os.environ.get("RATSNAKE_SANITIZE"))
    headers = [
        header
        for header in sorted(SOURCE.rglob("*.pxd"))
        if header.stem != "__init__" and module_name(header) not in HEADERS
    ]
    modules: list[Extension] = cythonize(
        [extension(header, sanitize) for header in headers],
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
