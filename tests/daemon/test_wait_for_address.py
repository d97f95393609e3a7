"""Waiting for the first outside address: until there are enough, and what is told meanwhile."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from ipaddress import IPv4Address
from typing import Any

import pytest

from ratsnake.daemon import wait_for_address
from ratsnake.daemon.configuration.option_parsing import RunOptions, run_options
from ratsnake.daemon.host_integration.host_values import NOTHING, HostValues
from ratsnake.daemon.sd_notify import ServiceManager
from ratsnake.daemon.wait_for_address import await_addresses
from ratsnake.host.kernel.interface_address import Found, InterfaceAddress

PPP = InterfaceAddress("ppp0")
NONE = Found(None, (), "there is no interface ppp0 (there are lo)")
ADDRESS = IPv4Address("198.51.100.7")


class Ears:
    """Plays the watch and the signals: each octet is something heard, or a signal's number."""

    def __init__(self, *wanted: InterfaceAddress, heard: bytes = b"") -> None:
        self.wanted = wanted
        self._reader, self._writer = socket.socketpair()
        self._writer.send(heard)

    def fileno(self) -> int:
        return self._reader.fileno()

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def note(self, found: Mapping[InterfaceAddress, Found]) -> None:
        assert found.keys() == set(self.wanted)

    def heard(self) -> bool:
        return self._reader.recv(1) == b"!"

    def noted(self) -> list[int]:
        return list(self._reader.recv(1))

    def put_back(self, number: int) -> None:
        assert number == signal.SIGHUP


class Manager(ServiceManager):
    def __init__(self) -> None:
        super().__init__({})
        self.told: list[dict[str, str]] = []

    def tell(self, **fields: str) -> None:
        self.told.append(fields)


@pytest.fixture
def manager() -> Manager:
    return Manager()


def _options(*external: str) -> RunOptions:
    return run_options({"external": list(external)})


def _await(
    monkeypatch: pytest.MonkeyPatch,
    manager: Manager,
    options: RunOptions,
    *found: Found,
    heard: bytes = b"",
    signals: bytes = b"",
    has_file: bool = False,
) -> HostValues | None:
    """What comes of it where each look finds the next of `found`."""
    looks: Iterator[Found] = iter(found)
    monkeypatch.setattr(wait_for_address, "look", lambda wanted: {PPP: next(looks)})
    wanted = (PPP,) if found else ()
    with closing(Ears(*wanted, heard=heard)) as watch, closing(Ears(heard=signals)) as wakeup:
        played: Any = (watch, wakeup)
        result = await_addresses(options, *played, manager, has_file)
    assert next(looks, None) is None
    return result


def test_what_is_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, manager: Manager) -> None:
    found = Found(7, (ADDRESS,))
    assert _await(monkeypatch, manager, _options("interface:ppp0"), found) == HostValues(
        {PPP: ADDRESS}
    )
    assert _await(monkeypatch, manager, _options("203.0.113.1")) == NOTHING
    assert manager.told == []


def test_it_waits_until_it_is_there_and_tells_each_reason_once(
    monkeypatch: pytest.MonkeyPatch, manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    """What is heard of is not always a reason to look."""
    modem = IPv4Address("192.168.100.10")
    found = (NONE, NONE, Found(7, (modem,)), Found(7, (ADDRESS,)))
    result = _await(monkeypatch, manager, _options("interface:ppp0"), *found, heard=b"!.!!")
    assert result == HostValues({PPP: ADDRESS})
    missing, unfit = caplog.messages
    assert missing == f"waiting for an outside address: --external interface:ppp0: {NONE.problem}"
    assert f"interface:ppp0 is {modem}: --external: {modem} lies inside the internal" in unfit
    assert manager.told[0] == {"EXTEND_TIMEOUT_USEC": "30000000", "STATUS": missing}
    assert [told["STATUS"] for told in manager.told] == [missing, missing, missing, unfit]


def test_where_there_is_another_it_begins_without(
    monkeypatch: pytest.MonkeyPatch, manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    options = _options("interface:ppp0", "203.0.113.1")
    assert _await(monkeypatch, manager, options, NONE) == HostValues(lost={PPP: NONE.problem})
    assert caplog.messages == [f"interface:ppp0: begins without it: {NONE.problem}"]


def test_a_signal_ends_it(monkeypatch: pytest.MonkeyPatch, manager: Manager) -> None:
    signals = bytes([signal.SIGTERM])
    options = _options("interface:ppp0")
    assert _await(monkeypatch, manager, options, NONE, signals=signals) is None


@pytest.mark.parametrize(("has_file", "numbers"), [(False, [1]), (True, [1, 1, 15])])
def test_a_reload_is_no_end_of_it_where_there_is_a_file(
    monkeypatch: pytest.MonkeyPatch,
    manager: Manager,
    caplog: pytest.LogCaptureFixture,
    has_file: bool,
    numbers: list[int],
) -> None:
    caplog.set_level(logging.INFO)
    signals = bytes([signal.SIGHUP, signal.SIGHUP, signal.SIGTERM])
    options = _options("interface:ppp0")
    found = _await(monkeypatch, manager, options, NONE, signals=signals, has_file=has_file)
    assert found is None
    assert caplog.messages[1:] == [signal.Signals(number).name for number in numbers]
