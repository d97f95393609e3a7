"""Does the sanitized build notice?  Each kind of table is touched where it must not be, by a
process of its own, which must end with a report."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("broken.pyx")
NAMES = re.findall(r"^def (\w+)", SOURCE.read_text(), re.MULTILINE)
BUILD = """
import os, sys
from Cython.Build import cythonize
from setuptools import Extension, setup
flags = ["-fsanitize=address", "-DRATSNAKE_SANITIZE", "-O1", "-g1"]
modules = [Extension("broken", ["broken.pyx"], extra_compile_args=flags, extra_link_args=flags[:1])]
setup(
    ext_modules=cythonize(modules, include_path=[sys.argv.pop()], quiet=True),
    script_args=["-q", "build_ext", "--inplace"],
)
"""
RUN = """
import sys
import broken
from ratsnake.nat.rules.behaviour import PRESETS
one = PRESETS["port-restricted-cone"].behaviour
getattr(broken, sys.argv[1])([one] * 7)
"""
#: What is said of a row that is not in use, of memory beyond a block, and of a null pointer.
REPORT = re.compile(
    rb"AddressSanitizer: (use-after-poison|heap-buffer-overflow|SEGV on unknown address)"
    rb"|runtime error: null pointer"
)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled module."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "broken.pyx").write_text(SOURCE.read_text())
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    source = Path(__file__).parents[2] / "src"
    subprocess.run([sys.executable, "-c", BUILD, str(source)], cwd=folder, env=plain, check=True)
    return folder


def test_this_is_the_sanitized_build() -> None:
    import ratsnake.nat.nat

    assert "sanitized" in ratsnake.nat.nat.__file__
    assert b"asan" in Path("/proc/self/maps").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_touch_is_reported_of(broken: Path, name: str) -> None:
    path = os.pathsep.join([str(broken), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", RUN, name],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode != 0
    assert REPORT.search(done.stderr), done.stderr.decode()
    assert name.encode() in done.stderr
