"""tools/perf_names.py on names as Cython and the C compiler write them."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "perf_names.py"


def translated(line: str) -> str:
    spec = importlib.util.spec_from_file_location("perf_names", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.translated(line))


@pytest.mark.parametrize(
    ("mangled", "name"),
    [
        (
            "__pyx_f_8ratsnake_3nat_11translation_17packet_translator_10Translator_route",
            "ratsnake.nat.translation.packet_translator.Translator.route",
        ),
        (
            "__pyx_f_8ratsnake_4wire_11upper_layer_parse_transport",
            "ratsnake.wire.upper_layer.parse_transport",
        ),
        (
            "__pyx_pw_8ratsnake_3nat_3nat_3Nat_5translate",
            "ratsnake.nat.nat.Nat.translate",
        ),
        (
            "__pyx_f_8ratsnake_6daemon_4loop_11packet_loop_10PacketLoop_one.constprop.0",
            "ratsnake.daemon.loop.packet_loop.PacketLoop.one.constprop.0",
        ),
        ("__pyx_f_5timer_2at", "timer.2at"),
        ("tun_get_user", "tun_get_user"),
    ],
)
def test_names(mangled: str, name: str) -> None:
    assert translated(f"  1.25%  [.] {mangled}\n") == f"  1.25%  [.] {name}\n"
