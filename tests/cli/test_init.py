"""`ratsnake init`: what it asks and writes; that what it writes is right."""

import os
import pty
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ratsnake.cli import local_interfaces
from ratsnake.cli.init_templates import SETUPS
from ratsnake.cli.main import main
from ratsnake.daemon.configuration.configuration_file import options_of, read
from ratsnake.daemon.configuration.option_parsing import RunOptions, StateOptions
from ratsnake.host.kernel.default_routes import DefaultRoute
from ratsnake.nat.rules.behaviour import PRESETS

LINE, RULE = "2001:db8:12:3400::/56", "2001:db8::/40,192.0.2.0/24,ea=16"
LAN = ("--lan", "br0")
ANSWERS: dict[str, Sequence[str]] = {
    "home-router": ("--wan", "ppp0", *LAN),
    "map-e": ("--prefix", LINE, "--rule", RULE, *LAN),
    "full-cone": ("--external", "203.0.113.1", *LAN),
    "subscribers": ("--external", "203.0.113.1,203.0.113.2", *LAN),
}


@pytest.fixture(autouse=True)
def interfaces(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Another machine's interfaces, and its default routes by version of IP; it is called anew for
    others."""

    def here(*names: str, **defaults: str) -> None:
        routes = {int(v[-1]): DefaultRoute(name, None, int(v[-1])) for v, name in defaults.items()}
        monkeypatch.setattr(local_interfaces, "interface_names", lambda: sorted(names))
        monkeypatch.setattr(local_interfaces, "default_routes", lambda device: routes)

    here("br0", "ppp0", "wan0", "wg0")
    return here


def written(path: Path, setup: str, *answers: str) -> RunOptions:
    """What the file makes that `init` writes without asking."""
    assert main(["init", str(path), "--yes", "--setup", setup, *answers]) == 0
    return options_of(read(path), {})


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["init", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("ratsnake: error: ")
    return err.removeprefix("ratsnake: error: ").rstrip()


@pytest.mark.parametrize("setup", SETUPS)
def test_every_setup_is_one_that_check_accepts(
    setup: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nat.toml"
    options = written(path, setup, *ANSWERS[setup])
    assert options.lans == ("br0",)
    assert options.state == StateOptions(Path("/var/lib/ratsnake/state"), 60)
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"{path} is written.\n")
    assert out.splitlines()[-3:] == [
        f"    ratsnake check {path}",
        f"    sudo ratsnake host plan --config {path}",
        f"    sudo ratsnake run --config {path}",
    ]
    assert main(["check", str(path)]) == 0
    lines = path.read_text().splitlines()
    assert max(len(line) for line in lines if str(path) not in line) <= 100
    assert lines[0] == f"# ratsnake: {SETUPS[setup].title}."
    assert os.listdir(tmp_path) == ["nat.toml"]


def test_a_map_e_line_of_a_known_provider(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = written(tmp_path / "f", "map-e", "--prefix", "240b:10:1234:5600::/56", *LAN)
    made = options.nat.settings
    (external,) = made.externals
    assert external.ports is not None
    assert (str(external.address), len(external.ports)) == ("106.72.18.52", 240)
    assert (made.mtu, made.udp) == (1460, PRESETS["quasi-restricted-cone"].behaviour)
    out = capsys.readouterr().out
    assert "local 240b:10:1234:5600:6a:4812:3400:5600 remote 2404:9200:225:100::64" in out


def test_a_map_e_line_with_a_rule_by_hand(tmp_path: Path) -> None:
    (external,) = written(tmp_path / "f", "map-e", *ANSWERS["map-e"]).nat.settings.externals
    assert external.ports is not None
    assert (str(external.address), len(external.ports)) == ("192.0.2.18", 252)


def test_full_cone_is_for_udp_and_tcp_stays_shut(tmp_path: Path) -> None:
    made = written(tmp_path / "f", "full-cone", *ANSWERS["full-cone"]).nat.settings
    assert made.udp == made.icmp == PRESETS["full-cone"].behaviour
    assert made.tcp == PRESETS["port-restricted-cone"].behaviour


@pytest.mark.parametrize(
    ("place", "wan", "share"),
    [("routed", None, False), ("link", "wan0", False), ("own", "wan0", True)],
)
@pytest.mark.parametrize("setup", ["full-cone", "subscribers"])
def test_where_the_outside_address_is(
    setup: str, place: str, wan: str | None, share: bool, tmp_path: Path
) -> None:
    given = ("--place", place, *(("--wan", wan) if wan else ()))
    options = written(tmp_path / "f", setup, *ANSWERS[setup], *given)
    assert (options.lans, options.wan, options.share_address) == (("br0",), wan, share)


@pytest.mark.parametrize("setup", SETUPS)
def test_there_may_be_several_lans(setup: str, tmp_path: Path) -> None:
    answers = [*ANSWERS[setup], "--lan", "br0, wg0"]
    assert written(tmp_path / "f", setup, *answers).lans == ("br0", "wg0")


@pytest.mark.parametrize("setup", ["home-router", "full-cone", "subscribers"])
def test_the_wans_own_address_is_followed(setup: str, tmp_path: Path) -> None:
    """Unless it is given."""
    own = () if setup == "home-router" else ("--place", "own")
    options = written(tmp_path / "f", setup, *own, "--wan", "ppp0", *LAN)
    assert [str(one) for one in options.nat.settings.addresses] == ["interface:ppp0"]
    assert (options.lans, options.wan, options.share_address) == (("br0",), "ppp0", True)
    if own:
        fixed = written(tmp_path / "g", setup, *own, "--wan", "ppp0", *ANSWERS[setup])
        assert str(fixed.nat.settings.addresses[0]) == "203.0.113.1"


def test_subscribers_have_blocks_and_limits(tmp_path: Path) -> None:
    made = written(
        tmp_path / "f",
        "subscribers",
        *ANSWERS["subscribers"],
        *("--internal", "100.64.0.0/24 100.64.1.0/24", "--block", "256"),
    ).nat.settings
    assert [str(one.address) for one in made.externals] == ["203.0.113.1", "203.0.113.2"]
    assert [str(one) for one in made.internal] == ["100.64.0.0/24", "100.64.1.0/24"]
    assert (made.port_block, made.blocks_per_host) == (256, 4)
    assert made.limits.host_sessions == 4000


def test_subscribers_ports_may_be_computed(tmp_path: Path) -> None:
    given = (*ANSWERS["subscribers"], "--internal", "100.64.0.0/24", "--deterministic", "yes")
    made = written(tmp_path / "f", "subscribers", *given).nat.settings
    assert made.deterministic and not made.port_block


def test_a_file_that_is_there_is_replaced_by_force_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nat.toml"
    path.write_text("precious")
    argv = (str(path), "--yes", "--setup", "full-cone", *ANSWERS["full-cone"])
    assert refused(capsys, *argv) == f"{path}: exists already; --force replaces it"
    assert path.read_text() == "precious"
    assert main(["init", "--force", *argv]) == 0
    assert path.read_text().startswith("# ratsnake: ")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "the questions need a terminal; answer them by flags, with --yes"),
        (("--yes",), "--setup SETUP is needed: which is yours"),
        (
            ("--yes", "--setup", "mapp"),
            "--setup mapp: must be 1 to 4, or one of home-router, map-e, ",
        ),
        (("--yes", "--setup", "full-cone"), "--external ADDR is needed: the external address"),
        (
            ("--yes", "--setup", "full-cone", "--external", "203.0.113.1", "--lan", "br0, br/0"),
            "--lan br0, br/0: interface name 'br/0' ",
        ),
        (
            ("--yes", "--setup", "full-cone", *ANSWERS["full-cone"], "--block", "512"),
            "--block: is not asked for in this set-up",
        ),
        (
            ("--yes", "--setup", "subscribers", *ANSWERS["subscribers"])
            + ("--deterministic", "yes", "--internal", "100.64.0.0/10"),
            "nat.internal",
        ),
        (
            ("--yes", "--setup", "map-e", "--prefix", "240b:10::/32", *LAN),
            "--prefix 240b:10::/32: ",
        ),
        (("--yes", "--setup", "map-e", "--prefix", LINE, *LAN), "--rule RULE is needed: "),
        (
            ("--yes", "--setup", "map-e", "--prefix", LINE, *LAN)
            + ("--rule", "2001:db8::/40,192.0.2.0/24,ea=8"),
            "the line has all ports of 192.0.2.",
        ),
    ],
)
def test_a_mistake_writes_nothing(
    argv: Sequence[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert message in refused(capsys, str(tmp_path / "nat.toml"), *argv)
    assert not list(tmp_path.iterdir())


class Terminal:
    """`ratsnake init` at a terminal of its own."""

    def __init__(self, *argv: str) -> None:
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.execv(sys.executable, [sys.executable, "-m", "ratsnake", "init", *argv])

    def until(self, end: str) -> str:
        """What is shown up to `end`."""
        shown = ""
        while not shown.endswith(end):
            octets = os.read(self.master, 1)
            assert octets, shown
            shown += octets.decode()
        return shown

    def answer(self, prompt: str, text: str) -> str:
        """Type an answer to the prompt; what was shown before it."""
        shown = self.until(prompt)
        os.write(self.master, text.encode())
        return shown

    def end(self, keys: str = "") -> tuple[int, str]:
        """The exit status, and the rest of what is shown.

        `keys` are struck again until it ends: a Ctrl-C between prompt and reading is not heard.
        """
        shown = ""
        try:
            while True:
                if keys and not select.select([self.master], [], [], 0.1)[0]:
                    os.write(self.master, keys.encode())
                    continue
                if not (octets := os.read(self.master, 4096)):
                    break
                shown += octets.decode()
        except OSError:  # a terminal's way of saying that nobody is at its other end
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1]), shown


@contextmanager
def terminal(*argv: str) -> Iterator[Terminal]:
    made: Any = Terminal(*argv)
    try:
        yield made
    finally:
        os.close(made.master)


def test_asked_at_a_terminal_until_every_answer_can_be_right(tmp_path: Path) -> None:
    path = tmp_path / "nat.toml"
    with terminal(str(path), "--allow-missing") as asked:
        menu = asked.answer("Which is yours (number or name): ", "mapp\n")
        unfolded = " ".join(menu.split())
        for number, name in enumerate(SETUPS, 1):
            assert f"{number} {name} {SETUPS[name].title}" in unfolded
        assert max(map(len, menu.splitlines())) < 80
        assert "did you mean map-e?" in asked.answer("Which is yours (number or name): ", "map-e\n")
        asked.answer("any address in it: ", "203.0.113.1\n")
        assert "is not an IPv6 prefix" in asked.answer("any address in it: ", f"{LINE}\n")
        asked.answer("ea=16: ", f"{RULE}\n")
        assert "(there are " in asked.answer("of your LAN", "\x15br0\n")
        status, shown = asked.end()
        assert (status, f"{path} is written." in shown) == (0, True)
    assert options_of(read(path), {}).lans == ("br0",)


def test_what_is_given_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "nat.toml"
    given = ("--setup", "subscribers", *ANSWERS["subscribers"], "--deterministic", "no")
    with terminal(str(path), "--allow-missing", *given) as asked:
        asked.answer("[routed]: ", "link\n")
        asked.answer("of your WAN", "wan0\n")
        asked.answer("[100.64.0.0/10]: ", "\n")
        asked.answer("[512]: ", "128\n")
        assert asked.end()[0] == 0
    made = options_of(read(path), {})
    assert (made.nat.settings.port_block, made.wan) == (128, "wan0")


def test_a_setup_is_chosen_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "nat.toml"
    with terminal(str(path)) as asked:
        asked.answer("Which is yours (number or name): ", "5\n")
        assert "must be 1 to 4, or one of" in asked.answer("name): ", "3\n")
        asked.answer("[routed]: ", "\n")
    assert written(path, "3", *ANSWERS["full-cone"]).nat.types["udp"] == "full-cone"


@pytest.mark.parametrize(
    ("defaults", "wan"),
    [({"v4": "ppp0", "v6": "wan0"}, "ppp0"), ({"v6": "wan0"}, "wan0")],
)
def test_the_wan_is_by_default_the_default_routes(
    defaults: dict[str, str],
    wan: str,
    tmp_path: Path,
    interfaces: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    interfaces("br0", "ppp0", "wan0", **defaults)
    assert written(tmp_path / "f", "home-router", *LAN).wan == wan
    assert f"Taken by default: --wan {wan}\n" in capsys.readouterr().out


def test_a_bridge_that_is_the_wan_is_not_proposed_for_the_lan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("br0", "wan0"):
        (tmp_path / name / "bridge").mkdir(parents=True)
    monkeypatch.setattr(local_interfaces, "INTERFACES", tmp_path)
    assert local_interfaces.default_lan("") == ""
    assert local_interfaces.default_lan("wan0") == "br0"


def test_an_interface_that_is_not_here_is_taken_only_if_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "f"
    argv = (str(path), "--yes", "--setup", "home-router", "--wan", "ppp0", "--lan", "br0,br9")
    assert refused(capsys, *argv) == (
        "--lan br0,br9: no interface br9 here; did you mean br0? (--allow-missing accepts one that"
        " comes later, or is on another machine)"
    )
    assert "there are br0, ppp0, wan0, wg0 (" in refused(capsys, *argv[:-1], "zzz")
    assert not path.exists()
    assert main(["init", "--allow-missing", *argv]) == 0
    out = capsys.readouterr().out
    assert "\nNote: there is no interface br9 here now (--lan).\n" in out
    assert "br0 here" not in out


@pytest.mark.parametrize("lan", ["wan0", "br0 wan0"])
def test_the_wan_is_no_lan(lan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("--yes", "--setup", "home-router", "--wan", "wan0", "--allow-missing")
    assert refused(capsys, str(tmp_path / "f"), *argv, "--lan", lan) == (
        f"--lan {lan}: wan0 is the WAN already; WAN and LAN must be different interfaces"
    )


def test_every_user_may_read_the_file_whatever_the_umask(tmp_path: Path) -> None:
    """The user that the NAT becomes reads it anew."""
    path = tmp_path / "nat.toml"
    before = os.umask(0o077)
    try:
        flags = ("--setup", "full-cone", "--external", "203.0.113.1", "--lan", "br0")
        assert main(["init", "--yes", *flags, str(path)]) == 0
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("keys", "status"), [("\x04", 1), ("\x03", 130)])
def test_who_leaves_half_way_leaves_nothing(keys: str, status: int, tmp_path: Path) -> None:
    path = tmp_path / "nat.toml"
    with terminal(str(path), "--allow-missing") as asked:
        asked.answer("Which is yours (number or name): ", "full-cone\n")
        asked.answer("[routed]: ", keys)
        assert asked.end(keys)[0] == status
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "etc" / "nat.toml"
    flags = ("--setup", "full-cone", "--external", "203.0.113.1", "--lan", "br0")
    assert main(["init", "--yes", *flags, str(path)]) == 2
    said = f"ratsnake: error: {path}: there is no directory {path.parent}\n"
    assert capsys.readouterr().err == said
