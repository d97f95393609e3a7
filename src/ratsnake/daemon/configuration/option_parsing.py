"""What the flags given make together: settings for the engine, and all that `run` was told.

Every complaint is a UsageError that names flag and value; what a flag is called in it, `names`
says, for it may come from a file.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...host.processes.user_accounts import Account
from ...nat.rules.behaviour import Behaviour
from ...nat.settings.deterministic_nat import Deterministic
from ...nat.settings.deterministic_nat_factory import deterministic_table
from ...nat.settings.setting_types import External, Limits, Timeouts
from ...nat.settings.unvalidated_settings import RawSettings
from ...nat.settings.validated_settings import Settings, mistakes_of
from ..control.control_protocol import default_path, path_of_running
from ..control.peer_credentials import Access
from ..user_errors import Mistakes, UsageError
from .flag_definition import Flag
from .flag_table import (
    ACCESS_FLAGS,
    DEFAULT_TYPE,
    EVENT_FLAGS,
    HOST_FLAGS,
    METRICS_FLAG,
    NAT_FLAGS,
    PROTOCOLS,
    SOCKET_FLAGS,
    STATE_FLAGS,
    USER_FLAG,
    WHO_FLAGS,
)
from .listen_address import Listen
from .placeholder_addresses import OfInterface, sources, stand_ins
from .toml_values import EXAMPLES

Texts = Mapping[str, str | list[str] | None]
# What to call a flag in a message, by its key, where it was not given on the command line.
Names = Mapping[str, str]
COMMAND_LINE: Names = {}
Table = TypeVar("Table", Timeouts, Limits)
OWNER_MODE, GROUP_MODE = 0o600, 0o660  # of the control socket
LONGEST_PERIOD = 86_400


@dataclass(frozen=True)
class Unreadable:
    """What is wrong with a file before its texts are read: the messages, and the keys whose texts
    are not known therefore."""

    messages: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()


ALL_READABLE = Unreadable()


@dataclass(frozen=True)
class NatOptions:
    """Settings for the engine, in which interfaces' addresses have stand-ins (`followed`), and the
    name of the type chosen for each protocol."""

    settings: Settings
    types: dict[str, str]


@dataclass(frozen=True)
class EventOptions:
    """The log of events: where it goes (None: there is none), which kinds, and whether remote
    endpoints are in it."""

    sink: str | None
    kinds: frozenset[str]
    destinations: bool


@dataclass(frozen=True)
class StateOptions:
    """The file that flows are kept in, and how many seconds it is written after."""

    path: Path
    period: int


@dataclass(frozen=True)
class RunOptions:
    """All that `ratsnake run` was told; `find_mtu`: nothing about the MTU.

    `control` is None where nothing was said about the control socket.
    """

    nat: NatOptions
    device: str
    lans: tuple[str, ...]
    wan: str | None
    share_address: bool
    find_mtu: bool
    control: str | None
    access: Access
    user: Account | None
    events: EventOptions
    metrics: Listen | None
    state: StateOptions | None

    @property
    def socket_path(self) -> str:
        """Where the control socket is; depends on who asks, and raises UsageError."""
        return self.control or default_path(self.device)


def read_flags(flags: Iterable[Flag], texts: Texts, names: Names = COMMAND_LINE) -> dict[str, Any]:
    """The value of every flag, by key; raises UsageError, or UsageErrors for several mistakes."""
    mistakes = Mistakes()
    values = _read_right(flags, texts, names, mistakes)
    mistakes.raise_if_any()
    return values


def _read_right(
    flags: Iterable[Flag],
    texts: Texts,
    names: Names,
    mistakes: Mistakes,
    unread: Collection[str] = (),
) -> dict[str, Any]:
    """The value of every flag that has a right one, by key; the others are noted, but for those
    `unread`."""
    values: dict[str, Any] = {}
    for flag in flags:
        given = texts.get(flag.key)
        text = flag.default if given is None else given
        if text is None and flag.required:
            if flag.key not in unread:
                mistakes.add(_needed(flag, names))
        elif text is None:
            values[flag.key] = None
        elif isinstance(text, str):
            with mistakes.noted():
                values[flag.key] = flag.read(text, names.get(flag.key))
        else:
            read = []
            for one in text:
                with mistakes.noted():
                    read.append(flag.read(one, names.get(flag.key)))
            if len(read) == len(text):
                values[flag.key] = tuple(read)
    return values


def _needed(flag: Flag, names: Names) -> str:
    if flag.key in names:
        return f'{names[flag.key]} is needed, such as {flag.key} = ["{EXAMPLES[flag.key]}"]'
    return f"{flag.name} {flag.metavar} is needed: {flag.help}"


def externals(values: Mapping[str, Any], one_to_one: Iterable[Any] = ()) -> tuple[External, ...]:
    """The outside addresses with their ports, those of one-to-one addresses last.

    Those of interfaces have stand-ins (`followed`); raises ValueError as Settings does.
    """
    given = values["external"]
    fixed = [one.address for one in given if isinstance(one, External)]
    held = [*values["internal"], *values.get("no-nat", ()), *(values.get("nptv6") or ())]
    named = [rule.external for rule in (*values.get("forward", ()), *one_to_one) if rule.external]
    places = stand_ins(
        [one.source for one in given if isinstance(one, OfInterface)], [*fixed, *held, *named]
    )
    shared = [
        External(
            places[one.source] if isinstance(one, OfInterface) else one.address,
            values["ports"] if one.ports is None else one.ports,
        )
        for one in given
    ]
    addresses = {one.address for one in shared}
    own = [External(rule.external, None) for rule in one_to_one if rule.external not in addresses]
    return (*shared, *own)


def named(error: ValueError, names: Names) -> UsageError:
    """The complaint of the engine's settings, "key: message", with the key as the user gave it."""
    key, _, message = str(error).partition(":")
    return UsageError(f"{names.get(key, '--' + key)}:{message}")


def named_in_table(flag: str, error: ValueError, names: Names) -> UsageError:
    """Likewise of a flag that takes NAME=NUMBER, "name: message"."""
    return UsageError(f"{names[flag]}.{error}" if flag in names else f"--{flag} {error}")


def nat_options(
    texts: Texts, names: Names = COMMAND_LINE, unreadable: Unreadable = ALL_READABLE
) -> NatOptions:
    """What NAT_FLAGS say; raises UsageError, or UsageErrors for several mistakes.

    What is `unreadable` is told with them.
    """
    mistakes = Mistakes(unreadable.messages)
    values = _read_right(NAT_FLAGS, texts, names, mistakes, unreadable.keys)
    timeouts = _table(Timeouts, "timeout", values, names, mistakes)
    limits = _table(Limits, "limit", values, names, mistakes)
    if unreadable.keys or len(values) < len(NAT_FLAGS):
        mistakes.raise_if_any()
    general = texts.get("nat") or DEFAULT_TYPE
    types = {protocol: str(texts.get(protocol) or general) for protocol in PROTOCOLS}
    behaviours: dict[str, Behaviour] = {
        protocol: values[protocol] or values["nat"] for protocol in PROTOCOLS
    }
    if values["other"] is not None:
        behaviours["other"] = values["other"]
    try:
        said: dict[str, Any] = dict(
            externals=externals(values, values["one-to-one"]),
            internal=values["internal"],
            internal_except=values["internal-except"],
            hosts=values["host-nat"],
            pooling=values["pooling"],
            port_block=values["port-block"],
            blocks_per_host=values["blocks-per-host"],
            deterministic=values["deterministic"],
            forwards=(*values["forward"], *values["one-to-one"]),
            no_nat=values["no-nat"],
            nptv6=values["nptv6"],
            unsolicited_syn=values["unsolicited-syn"],
            no_resources=values["no-resources"],
            mtu=values["mtu"],
            decrement_ttl=values["decrement-ttl"],
            inbound_refresh=values["inbound-refresh"],
            timeouts=timeouts,
            limits=limits,
            **behaviours,
        )
        wrong = mistakes_of(RawSettings(**said))
    except ValueError as error:
        raise named(error, names) from None
    for mistake in wrong:
        mistakes.add(str(named(mistake, names)))
    mistakes.raise_if_any()
    settings = Settings(**said)
    if settings.deterministic:
        _refuse_interfaces(settings, "the ports of --deterministic follow from it", names)
    return NatOptions(settings, types)


def _table(
    owner: type[Table], flag: str, values: Mapping[str, Any], names: Names, mistakes: Mistakes
) -> Table:
    """What a flag of NAME=NUMBER says, without those that are out of range, which are noted."""
    numbers = dict(values.get(flag, ()))
    for name in list(numbers):
        try:
            owner(**{name: numbers[name]})
        except ValueError as error:
            mistakes.add(str(named_in_table(flag, error, names)))
            del numbers[name]
    return owner(**numbers)


def fixed_nat_options(texts: Texts, why: str) -> NatOptions:
    """Likewise, where `why` an address must be known; raises UsageError."""
    options = nat_options(texts)
    _refuse_interfaces(options.settings, why, COMMAND_LINE)
    return options


def _refuse_interfaces(settings: Settings, why: str, names: Names) -> None:
    for source in sources(settings):
        raise UsageError(
            f"{names.get('external', '--external')} {source}: {why}; right is an address"
        )


def deterministic(texts: Texts) -> Deterministic:
    """Who has which ports, as WHO_FLAGS say; raises UsageError."""
    values = read_flags(WHO_FLAGS, texts)
    try:
        settings = Settings(
            externals=externals(values),
            internal=values["internal"],
            internal_except=values["internal-except"],
            port_block=values["port-block"],
            deterministic=True,
        )
        _refuse_interfaces(settings, "the ports of each host follow from it", COMMAND_LINE)
        return deterministic_table(settings)
    except ValueError as error:
        raise named(error, COMMAND_LINE) from None


def running_socket_path(texts: Texts) -> str:
    """Where a NAT that runs is to be asked, as SOCKET_FLAGS say; raises UsageError."""
    values = read_flags(SOCKET_FLAGS, texts)
    return values["control"] or path_of_running(values["device"])


def _access(mode: int | None, group: int | None) -> Access:
    """A group that is named is let in unless the mode says otherwise."""
    if mode is None:
        mode = OWNER_MODE if group is None else GROUP_MODE
    return Access(mode, group)


def _check_period(values: Mapping[str, Any], names: Names) -> None:
    period = values["period"]
    if not 1 <= period <= LONGEST_PERIOD:
        raise UsageError(
            f"{names.get('period', '--state-period')} {period}: must be 1..{LONGEST_PERIOD} seconds"
        )


def _check_lan(values: Mapping[str, Any], names: Names) -> None:
    """What is set up for a LAN needs one."""
    for key in ("wan", "share-address") if not values["lan"] else ():
        if values[key]:
            raise UsageError(
                f"{names.get(key, '--' + key)}: is part of what --lan sets up on this host; give"
                " --lan IFACE too"
            )


def _check_sharing(settings: Settings, values: Mapping[str, Any], names: Names) -> None:
    """An address that is the host's own too."""
    if values["share-address"] and settings.deterministic:
        raise UsageError(
            f"{names.get('share-address', '--share-address')}: the ports left depend on the host's"
            " programs, which --deterministic contradicts; give the NAT an address of its own"
        )
    for source in sources(settings) if values["lan"] else ():
        flag = f"{names.get('external', '--external')} {source}"
        if source.version == 6:
            raise UsageError(
                f"{flag}: an IPv6 address of the host cannot be shared with it; give the NAT"
                " another address of the subnet"
            )
        if not values["share-address"]:
            raise UsageError(f"{flag}: is an address of this host too; share it by --share-address")


def _check_interfaces(values: Mapping[str, Any], names: Names) -> None:
    """Each name stands for an interface of its own."""
    device, lans, wan = values["device"], values["lan"], values["wan"]
    for key, name in (*(("lan", lan) for lan in lans), ("wan", wan)):
        flag = names.get(key, "--" + key)
        if name == device:
            raise UsageError(
                f"{flag} {name}: is the NAT's own device; name the {key.upper()}'s interface"
            )
        if key == "lan" and lans.count(name) > 1:
            raise UsageError(f"{flag} {name}: is given twice; once is enough")
        if key == "wan" and name in lans:
            raise UsageError(f"{flag} {name}: is the LAN's interface too; they must differ")


def run_options(
    texts: Texts, names: Names = COMMAND_LINE, unreadable: Unreadable = ALL_READABLE
) -> RunOptions:
    """What RUN_FLAGS say; raises UsageError, or UsageErrors for several mistakes."""
    flags = (
        *(*SOCKET_FLAGS, *HOST_FLAGS, USER_FLAG, *ACCESS_FLAGS),
        *(*EVENT_FLAGS, METRICS_FLAG, *STATE_FLAGS),
    )
    mistakes = Mistakes()
    values = _read_right(flags, texts, names, mistakes, unreadable.keys)
    all_right = not mistakes.messages
    with mistakes.noted():
        nat = nat_options(texts, names, unreadable)
    if all_right:
        for check in (
            _check_period,
            _check_interfaces,
            *(() if "lan" in unreadable.keys else (_check_lan,)),
        ):
            with mistakes.noted():
                check(values, names)
    mistakes.raise_if_any()
    _check_sharing(nat.settings, values, names)
    return RunOptions(
        nat=nat,
        device=values["device"],
        lans=values["lan"],
        wan=values["wan"],
        share_address=values["share-address"],
        find_mtu=texts.get("mtu") is None,
        control=values["control"],
        access=_access(values["control-mode"], values["control-group"]),
        user=values["user"],
        events=EventOptions(values["sink"], frozenset(values["kinds"]), values["destinations"]),
        metrics=values["listen"],
        state=None if values["file"] is None else StateOptions(values["file"], values["period"]),
    )
