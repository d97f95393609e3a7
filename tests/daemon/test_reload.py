"""Other settings for a NAT that runs: all of them or none, by client, signal and live forwards."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from ratsnake.daemon.configuration.configuration_file import Asked, Sources
from ratsnake.daemon.configuration.option_parsing import EventOptions, RunOptions
from ratsnake.daemon.host_integration.host_values import NOTHING, HostValues, fitted_options
from ratsnake.daemon.host_integration.settings_for_host import Fitted
from ratsnake.daemon.reconfiguration import active_settings as module
from ratsnake.daemon.reconfiguration.active_settings import ActiveSettings
from ratsnake.daemon.reconfiguration.live_forwards import LiveForwards
from ratsnake.daemon.reconfiguration.reload import Reloading
from ratsnake.daemon.sd_notify import ServiceManager
from ratsnake.daemon.user_errors import TRIES, RunError, TryAgain, UsageError
from ratsnake.host.kernel.interface_address import InterfaceAddress
from ratsnake.nat.handover.flow_transfer import Transfer
from ratsnake.nat.settings.validated_settings import Settings

HEAD = '[nat]\nexternal = ["203.0.113.1"]\n'
FORWARDS = '[rules]\nforward = ["tcp:8080=192.168.1.10:80"]\n'


class FakeNat:
    """The successors it was told of; 12 sessions live in it."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []
        self.full = False

    def totals(self) -> Any:
        return self

    def usage(self) -> dict[str, Any]:
        return {"sessions": 12}

    def replace(self, nat: Settings, now: Callable[[], int]) -> Transfer:
        assert now() == 5
        if self.full:
            raise MemoryError
        self.settings.append(nat)
        return Transfer(kept=10, ended=2)


class FakeSink:
    def __init__(self) -> None:
        self.name = "fake"
        self.closed = False

    def close(self) -> None:
        self.closed = True


class FakeEvents:
    def __init__(self) -> None:
        self.changes: list[tuple[EventOptions, Any]] = []

        self.told: list[tuple[str, dict[str, Any]]] = []

    def change(self, options: EventOptions, sink: Any) -> None:
        self.changes.append((options, sink))

    def tell(self, event: str, **fields: Any) -> None:
        self.told.append((event, fields))


class Manager(ServiceManager):
    def __init__(self) -> None:
        super().__init__({}, lambda: 1234.5)
        self.told: list[dict[str, str]] = []

    def tell(self, **fields: str) -> None:
        self.told.append(fields)


class FakeHost:
    """What was set up, and whether that lasts."""

    def __init__(self, scene: "Scene", options: RunOptions) -> None:
        self.host_values = NOTHING
        self.changes = [options]
        self.lasting: list[bool] = []
        self._scene = scene

    def fit(self, asked: Asked, lasting: bool) -> Fitted:
        self.lasting.append(lasting)
        options = fitted_options(asked.options, self.host_values)
        return Fitted(options, self.host_values, ("a note",), self._scene.warnings)

    def change(self, asked: Asked, fitted: Fitted) -> tuple[str, ...]:
        if self._scene.failing == "host":
            raise RunError("host fails")
        if self._scene.in_motion:
            self._scene.in_motion -= 1
            raise TryAgain("host has changed")
        self.changes.append(fitted.options)
        return ()

    def change_back(self) -> None:
        self.changes.append(self.changes[-2])


class Scene:
    """A NAT that runs with what `file` says; an engine is its settings here."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, **flags: Any
    ) -> None:
        self.file = folder / "nat.toml"
        self.file.write_text(HEAD + text)
        self.nat, self.events, self.manager = FakeNat(), FakeEvents(), Manager()
        self.sinks: list[FakeSink] = []
        self.warnings: tuple[str, ...] = ()
        self.told: list[RunOptions] = []
        self.failing = ""
        self.in_motion = 0  # how many more attempts meet a host that has just changed
        monkeypatch.setattr(module, "make_nat", self.may_fail("make_nat", lambda s, seed: s))
        monkeypatch.setattr(module, "open_log", self.may_fail("open_log", self.open_log))
        self.sources = Sources({"config": str(self.file), **flags}, self.file)
        asked = self.sources.read()
        self.host = FakeHost(self, asked.options)
        self.active_settings = ActiveSettings(
            asked,
            asked.options,
            self.nat,  # type: ignore[arg-type]
            self.events,  # type: ignore[arg-type]
            self.host,
            lambda: 5,
        )
        self.active_settings.tell = lambda: self.told.append(self.active_settings.fitted)
        self.reloading = Reloading(
            self.sources, self.active_settings, self.manager, lambda: "all is well"
        )
        self.forwards = LiveForwards(self.active_settings, self.sources)

    def may_fail(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if self.failing == name:
                raise RunError(f"{name} fails")
            return function(*arguments)

        return call

    def open_log(self, options: EventOptions) -> FakeSink | None:
        if options.sink is None:
            return None
        self.sinks.append(FakeSink())
        return self.sinks[-1]

    def reload(self, text: str) -> dict[str, Any]:
        self.file.write_text(HEAD + text)
        return self.reloading.answer({"command": "reload"})

    def forward(self, **request: str) -> dict[str, Any]:
        return self.forwards.answer({"command": "forward", **request})

    def listed(self) -> dict[str, str]:
        (rows,) = self.forwards.rows({"command": "forwards"})
        return {row["forward"]: row["origin"] for row in rows}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch, FORWARDS)


def test_a_reload_tells_what_has_changed_and_what_became_of_the_flows(scene: Scene) -> None:
    scene.warnings = ("look out",)
    assert scene.reload(FORWARDS + "[timeouts]\nudp = 60") == {
        "file": str(scene.file),
        "changed": [{"key": "timeouts.udp", "old": 300, "new": 60}],
        "kept": 10,
        "ended": 2,
        "notes": ["a note"],
        "warnings": ["look out"],
    }
    (settings,) = scene.nat.settings
    assert settings.timeouts.udp == 60
    assert scene.host.lasting == [True]
    assert scene.told == [scene.active_settings.fitted]
    assert scene.active_settings.fitted.nat.settings == settings


def test_what_only_says_the_same_moves_nothing(scene: Scene) -> None:
    row = scene.reload(FORWARDS + "[timeouts]\nudp = 300 # as ever\n")
    assert (row["changed"], row["kept"], row["ended"]) == ([], 12, 0)
    assert (scene.nat.settings, scene.told) == ([], [])


def test_a_flag_of_the_run_wins_and_who_reloads_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"nat": "full-cone", "timeout": ["udp=60"]}
    scene = Scene(tmp_path, monkeypatch, "", **flags)
    row = scene.reload("[types]\nnat = 'symmetric'\n[timeouts]\nudp = 90\nicmp = 30")
    assert row["changed"] == [{"key": "timeouts.icmp", "old": 60, "new": 30}]
    (settings,) = scene.nat.settings
    assert (settings.timeouts.udp, settings.timeouts.icmp) == (60, 30)
    assert row["notes"] == [
        "a note",
        "types.nat: a flag of `ratsnake run` wins over it",
        "timeouts.udp: a flag of `ratsnake run` wins over it",
    ]


@pytest.mark.parametrize("by", ["client", "signal"])
def test_a_mistake_is_told_as_check_tells_it_and_nothing_changes(
    scene: Scene, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = scene.active_settings.asked
    scene.file.write_text(HEAD + "[types]\nnat = 'cone'")
    with pytest.raises(UsageError) as checked:
        scene.sources.read()
    if by == "client":
        with pytest.raises(UsageError) as told:
            scene.reloading.answer({})
        assert str(told.value) == str(checked.value)
    else:
        scene.reloading.by_signal()
    assert f"nothing is reloaded: {checked.value}" in caplog.messages
    assert scene.active_settings.asked is before
    assert (scene.nat.settings, scene.told, scene.events.changes) == ([], [], [])
    assert scene.manager.told[-1] == {"READY": "1", "STATUS": f"not reloaded: {checked.value}"}


def test_what_needs_a_restart_is_refused_as_a_whole(scene: Scene) -> None:
    text = "[host]\ndevice = 'nat0'\ncontrol-mode = '0660'\n[timeouts]\nudp = 60"
    with pytest.raises(RunError) as failure:
        scene.reload(FORWARDS + text)
    assert str(failure.value) == (
        f'{scene.file}: host.device: "ratsnake" -> "nat0"; host.control-mode: not set -> "0660":'
        " cannot change while the NAT runs; restart it"
    )
    assert (scene.nat.settings, scene.told) == ([], [])
    assert scene.active_settings.fitted.nat.settings.timeouts.udp == 300


@pytest.mark.parametrize("failing", ["open_log", "make_nat", "host"])
def test_a_failure_half_way_leaves_all_as_it_was(scene: Scene, failing: str) -> None:
    before = (scene.active_settings.asked, scene.active_settings.fitted)
    scene.failing = failing
    with pytest.raises(RunError, match=f"^{scene.file}: {failing} fails$"):
        scene.reload("[timeouts]\nudp = 60\n[events]\nsink = 'stdout'")
    assert (scene.active_settings.asked, scene.active_settings.fitted) == before
    assert (scene.nat.settings, scene.told, scene.events.changes) == ([], [], [])
    assert all(sink.closed for sink in scene.sinks)
    scene.failing = ""
    assert scene.reload("[timeouts]\nudp = 60\n[events]\nsink = 'stdout'")["ended"] == 2


def test_a_defect_half_way_leaves_no_log_open(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.host, "change", None)
    with pytest.raises(TypeError):
        scene.reload("[timeouts]\nudp = 60\n[events]\nsink = 'stdout'")
    assert [sink.closed for sink in scene.sinks] == [True]


def test_without_memory_for_the_flows_the_host_is_set_back_too(scene: Scene) -> None:
    before = scene.active_settings.fitted
    scene.nat.full = True
    with pytest.raises(RunError, match=f"^{scene.file}: there is no memory to move the flows"):
        scene.reload("[timeouts]\nudp = 60\n[events]\nsink = 'stdout'")
    (first, there, back) = scene.host.changes
    assert first is back is before and there is not before
    assert scene.active_settings.fitted is before
    assert (scene.told, scene.events.changes, scene.sinks[0].closed) == ([], [], True)


def test_the_log_of_events_may_be_another(scene: Scene) -> None:
    scene.reload(FORWARDS + "[events]\nsink = 'stdout'\nkinds = ['limit']")
    scene.reload(FORWARDS + "[events]\nsink = 'stdout'\nkinds = ['mapping']")
    scene.reload(FORWARDS)
    opened, same, ended = scene.events.changes
    assert opened == (EventOptions("stdout", frozenset(["limit"]), False), scene.sinks[0])
    assert same == (EventOptions("stdout", frozenset(["mapping"]), False), None)
    assert ended[0].sink is None and ended[1] is None
    assert len(scene.sinks) == 1
    assert scene.nat.settings == []  # no flow was moved for it


def test_the_service_manager_hears_of_the_beginning_and_the_end(scene: Scene) -> None:
    scene.reload(FORWARDS)
    scene.failing = "make_nat"
    scene.file.write_text(HEAD)
    scene.reloading.by_signal()
    begun = {"RELOADING": "1", "MONOTONIC_USEC": "1234500000", "STATUS": "reloading"}
    assert scene.manager.told == [
        begun,
        {"READY": "1", "STATUS": "all is well"},
        begun,
        {"READY": "1", "STATUS": f"not reloaded: {scene.file}: make_nat fails"},
    ]


def test_a_defect_in_a_reload_by_signal_does_not_end_the_nat(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scene.host, "fit", lambda asked, lasting: {}["defect"])
    scene.reloading.by_signal()
    assert "a reload failed: KeyError('defect')" in caplog.messages
    assert scene.manager.told[-1] == {"READY": "1", "STATUS": "not reloaded"}


def test_without_a_file_there_is_nothing_to_reload(scene: Scene) -> None:
    without = Reloading(Sources({}, None), scene.active_settings, scene.manager, str)
    assert scene.reloading.has_file and not without.has_file
    with pytest.raises(UsageError, match="nothing to reload: .* --config FILE"):
        without.answer({})
    assert scene.manager.told == []


def test_a_file_that_has_gone_is_told(scene: Scene) -> None:
    scene.file.unlink()
    with pytest.raises(UsageError, match=f"^{scene.file}: No such file or directory$"):
        scene.reloading.answer({})


def test_the_usual_socket_does_not_matter_once_it_is_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be another one for the user that the NAT has become, or none."""
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert scene.reload(FORWARDS + "[timeouts]\nudp = 60")["ended"] == 2


def test_forwards_are_added_and_removed_until_the_next_reload(scene: Scene) -> None:
    configured = "tcp:8080=192.168.1.10:80"
    assert scene.listed() == {configured: "configured"}
    row = scene.forward(add="udp:4000-4009=192.168.1.11")
    assert row["changed"] == [
        {
            "key": "rules.forward",
            "old": [configured],
            "new": [configured, "udp:4000-4009=192.168.1.11"],
        }
    ]
    assert (row["kept"], row["ended"], row["origin"]) == (10, 2, "live")
    assert (row["file"], row["by_flag"]) == (str(scene.file), False)
    assert scene.listed() == {configured: "configured", "udp:4000-4009=192.168.1.11": "live"}
    again = scene.forward(add="udp:4000-4009=192.168.1.11", again=True)
    assert (again["changed"], again["origin"]) == ([], "live")
    assert scene.forward(remove=configured)["origin"] == "configured"
    assert scene.listed() == {"udp:4000-4009=192.168.1.11": "live"}
    assert [len(settings.forwards) for settings in scene.nat.settings] == [2, 1]
    assert scene.reload(FORWARDS)["changed"] == [
        {"key": "rules.forward", "old": ["udp:4000-4009=192.168.1.11"], "new": [configured]}
    ]
    assert scene.listed() == {configured: "configured"}


def test_a_live_forward_that_was_written_into_the_file_stays(scene: Scene) -> None:
    scene.forward(add="udp:4000-4009=192.168.1.11")
    both = FORWARDS.replace('"]', '", "udp:4000-4009=192.168.1.11"]')
    row = scene.reload(both)
    assert (row["changed"], row["notes"], row["ended"]) == ([], ["a note"], 0)
    assert set(scene.listed().values()) == {"configured"}


def test_a_configured_forward_that_is_added_again_is_a_configured_one(scene: Scene) -> None:
    scene.forward(remove="tcp:203.0.113.1:8080=192.168.1.10:80")  # the same, in other words
    assert scene.listed() == {}
    scene.forward(add="tcp:203.0.113.1:8080=192.168.1.10:80")
    assert scene.listed() == {"tcp:203.0.113.1:8080=192.168.1.10:80": "configured"}


def test_a_row_says_all_of_a_forward(scene: Scene) -> None:
    scene.forward(add="udp+tcp:5000-5009=192.168.1.11:6000@198.51.100.0/24")
    ((_, row),) = scene.forwards.rows({})
    assert row == {
        "forward": "udp+tcp:5000-5009=192.168.1.11:6000@198.51.100.0/24",
        "protocols": ["tcp", "udp"],
        "external": "203.0.113.1",
        "external_ports": [5000, 5009],
        "internal": "192.168.1.11",
        "internal_ports": [6000, 6009],
        "remotes": ["198.51.100.0/24"],
        "origin": "live",
    }


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"add": "tcp:8080=192.168.1.10:80"},
            "^forward tcp:8080=.*:80: is there already",
        ),
        (
            {"add": "tcp+udp:8000-8099=192.168.1.11"},
            "^forward: overlapping forwards tcp:80.* and",
        ),
        (
            {"add": "tcp:203.0.113.9:80=192.168.1.11"},
            "203.0.113.9 is not an external address of the NAT; right is 203.0.113.1$",
        ),
        (
            {"add": "tcp:80=198.51.100.1"},
            "^forward: tcp:80=.*: 198.51.100.1 is not inside",
        ),
        ({"add": "tpc:80=192.168.1.11"}, "^forward tpc:80=192.168.1.11: no such protocol .* tcp"),
        (
            {"remove": "tcp:8081=192.168.1.10:80"},
            "^forward tcp:8081=.*: there is none such; did you mean tcp:8080=192.168.1.10:80.$",
        ),
        ({"remove": "sctp:9=10.1.2.3"}, "none such; there are tcp:8080=192.168.1.10:80$"),
    ],
)
def test_what_is_wrong_with_a_forward_is_told_and_nothing_changes(
    scene: Scene, request_: dict[str, str], message: str
) -> None:
    before = scene.active_settings.asked
    with pytest.raises(UsageError, match=message):
        scene.forward(**request_)
    assert scene.active_settings.asked is before
    assert scene.nat.settings == []


def test_where_there_are_no_forwards_or_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, monkeypatch, "")
    with pytest.raises(UsageError, match="none such; there are no forwards at all$"):
        scene.forward(remove="tcp:1=10.0.0.1")
    for port in range(2000, 2006):
        scene.forward(add=f"tcp:{port}=192.168.100.100")
    with pytest.raises(UsageError, match="; there are tcp:2000=.*, tcp:2003=[^,]* and others$"):
        scene.forward(remove="sctp:9=10.1.2.3")


@pytest.mark.parametrize("request_", [{}, {"add": 5}, {"remove": None}])
def test_a_request_needs_a_forward(scene: Scene, request_: Any) -> None:
    with pytest.raises(ValueError, match='forward needs "add" or "remove"'):
        scene.forward(**request_)


def test_a_forward_that_the_host_has_no_way_for_is_refused(scene: Scene) -> None:
    scene.failing = "host"
    with pytest.raises(RunError, match="^host fails$"):
        scene.forward(add="tcp:80=192.168.1.11")
    assert scene.listed() == {"tcp:8080=192.168.1.10:80": "configured"}


def test_a_host_that_changes_meanwhile_is_asked_again(scene: Scene) -> None:
    """By a client's reload and forwards alike, and not for ever."""
    scene.in_motion = TRIES - 1
    scene.forward(add="tcp:80=192.168.1.11")
    scene.in_motion = TRIES - 1
    assert scene.reload("")["changed"]
    assert scene.listed() == {}
    scene.in_motion = TRIES
    with pytest.raises(RunError, match="^host has changed$"):
        scene.forward(add="tcp:80=192.168.1.11")
    assert scene.listed() == {}


PPP = InterfaceAddress("ppp0")
A, B = IPv4Address("198.51.100.7"), IPv4Address("198.51.100.8")


@pytest.fixture
def following(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch, "", external=["interface:ppp0", "203.0.113.9"])


def test_the_nat_follows_an_address_and_tells_of_it(
    following: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for address in (A, B):
        following.active_settings.follow(HostValues({PPP: address}))
        assert following.nat.settings[-1].addresses[0] == address
        assert following.active_settings.fitted.nat.settings == following.nat.settings[-1]
    assert following.events.told == [
        ("address", {"old": None, "new": str(A)}),
        ("address", {"old": str(A), "new": str(B)}),
    ]
    assert caplog.messages == [
        f"interface:ppp0: no address -> {A}; sessions kept: 10, ended: 2",
        f"interface:ppp0: {A} -> {B}; sessions kept: 10, ended: 2",
    ]
    assert len(following.told) == 2


def test_an_address_that_goes_is_told_and_no_flow_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it is the only one of its family."""
    caplog.set_level("INFO")
    externals = ["interface:ppp0", "2001:db8:9::1"]
    internal = ["192.168.0.0/16", "2001:db8:1::/64"]
    following = Scene(tmp_path, monkeypatch, "", external=externals, internal=internal)
    following.active_settings.follow(HostValues({PPP: A}))
    caplog.clear()
    gone = HostValues({PPP: A}, {PPP: "there is no interface ppp0"})
    for host_values in (gone, gone, HostValues({PPP: A})):
        following.active_settings.follow(host_values)
    assert len(following.nat.settings) == 1
    assert caplog.messages == [
        f"interface:ppp0: there is no interface ppp0; {A} stays until there is another",
        f"interface:ppp0: {A} is there again",
    ]
    assert len(following.told) == 4


@pytest.mark.parametrize("patience", [0, 3600])
def test_beside_another_what_is_new_does_not_get_it_and_hosts_move_in_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    patience: int,
) -> None:
    caplog.set_level("INFO")
    text = f"[timeouts]\npairing = {patience}\n"
    following = Scene(tmp_path, monkeypatch, text, external=["interface:ppp0", "203.0.113.9"])
    following.active_settings.follow(HostValues({PPP: A}))
    caplog.clear()
    following.events.told.clear()
    following.active_settings.follow(HostValues({PPP: A}, {PPP: "there is no interface ppp0"}))
    for _ in range(2):
        following.active_settings.give_up_addresses()
    following.active_settings.follow(HostValues({PPP: A}))
    following.active_settings.give_up_addresses()
    kinds = [settings.externals[0].availability.name for settings in following.nat.settings]
    moved = patience == 0
    assert kinds == ["PRESENT", "LOST", *(["GIVEN_UP"] if moved else []), "PRESENT"]
    told = ["address-lost", *(["address-given-up"] if moved else []), "address-back"]
    assert following.events.told == [(name, {"external": str(A)}) for name in told]
    assert caplog.messages == [
        f"interface:ppp0: there is no interface ppp0; {A} stays until there is another",
        f"{A}: what is new gets another outside address",
        *(
            [
                f"{A} has been away for 0 s: hosts paired with it get another outside address for"
                " what is new"
            ]
            if moved
            else []
        ),
        f"interface:ppp0: {A} is there again",
        f"{A}: new flows may have it as before",
    ]


def test_a_reload_keeps_what_is_known_of_a_loss(following: Scene) -> None:
    lost = HostValues({PPP: A}, {PPP: "there is no interface ppp0"})
    following.active_settings.follow(lost)
    following.host.host_values = lost
    following.reload("[timeouts]\nudp = 60\n")
    (external, _) = following.nat.settings[-1].externals
    assert external.availability.name == "LOST"


def test_without_memory_the_nat_stays_as_it_is(
    following: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    following.active_settings.follow(HostValues({PPP: A}))
    before = following.active_settings.fitted
    following.nat.full = True
    following.active_settings.follow(HostValues({PPP: B}))
    assert caplog.messages[-1] == "the NAT's addresses stay as they are: no memory"
    assert following.active_settings.fitted is before
