"""What the NAT may ask of the host's side, which lives in the helper, and how.

A question is a JSON object with one of these.

    begin      set up what the start has read, once, before there are packets
    reload     read the configuration file anew, which must be what the asker has read (its check
               sum), and say what it comes to on this host: host values, notes and warnings
    forwards   likewise, for this list of static forwards in place of those there are
    go         set that up
    back       take it back
    look       look at once whether all of it is in force, and say what is wrong on this host

The answer has `error`, or what became of it.  What is done when nobody waits for the answer any
more is taken back: the NAT goes on with what it had.
"""

import json
import time
from binascii import crc32
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ...host.processes.forked_call import ChildError
from ...host.processes.privileged_helper import BEGUN_SECONDS, DONE_SECONDS, HelperDied, Undoing
from ...host.routing.routing_request import Request
from ...host.sockets.host_addresses_and_ports import survey
from ...nat.settings.static_forward_text import parse_forward
from ...portset import PortSet
from ..configuration.configuration_file import Asked, Configuration, Sources
from ..configuration.option_parsing import RunOptions
from ..user_errors import RunError, TryAgain, UsageError
from .host_report import Report, read_report
from .host_setup_manager import HostSetup, State
from .host_values import HostValues, fitted_options, read_host_values
from .settings_for_host import Fitted, ports_of_host, request_of

BEGIN, RELOAD, FORWARDS, GO, BACK, LOOK = "begin", "reload", "forwards", "go", "back", "look"


class HelperHostSetup(HostSetup):
    """In the helper: it answers."""

    def __init__(self, file: Sources, *arguments: Any) -> None:
        """`file` is where the start has read what is asked for; the rest is as of Hosting."""
        super().__init__(*arguments)
        self._file = file
        self._has_begun = False
        self._prepared: tuple[RunOptions, Fitted] | None = None

    def attend(self) -> str:
        serial = self.host_values.serial
        news = super().attend()
        if self.host_values.serial != serial:
            self._prepared = None
        return news

    def answer(self, question: str, until: float) -> str:
        answers: dict[str, Callable[[Any], dict[str, Any]]] = {
            BEGIN: self._begin,
            RELOAD: self._reload,
            FORWARDS: self._forward,
            GO: self._go,
            BACK: self._back,
            LOOK: lambda _: self.look().row(),
        }
        try:
            ((name, value),) = json.loads(question).items()
            answer = answers[name](value)
            if name == GO and time.monotonic() > until:
                self.change_back()
                raise RunError("it took too long, and is taken back")
            return json.dumps(answer)
        except (RunError, UsageError) as error:
            return json.dumps({"error": str(error), "again": isinstance(error, TryAgain)})
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return json.dumps({"error": "the question is none of a NAT"})

    def _begin(self, _: object) -> dict[str, Any]:
        if self._has_begun:
            raise RunError("it has begun already")
        self._has_begun = True
        return {"warnings": self.begin()}

    def _reload(self, check_sum: object) -> dict[str, Any]:
        asked = self._file.read()
        if sum_of(asked.file) != check_sum:
            raise TryAgain("the configuration file has changed meanwhile; try again")
        before = self.report
        restored = self.look().restored_since(before)
        prepared = self._prepare(asked.options, anew=True)
        again = [f"others had undone it, and it is made again: `{one}`" for one in restored]
        # Of other interfaces it may be wrong no more, and the look that follows tells what is.
        had, will = self.state.options, asked.options
        stays = (had.lans, had.wan) == (will.lans, will.wan)
        wrong = map(str, self.report.problems if stays else ())
        return {**prepared, "warnings": (*prepared["warnings"], *again, *wrong)}

    def _forward(self, texts: Iterable[object]) -> dict[str, Any]:
        forwards = [parse_forward(str(text)) for text in texts]
        options = self.state.options
        settings = options.nat.settings
        others = [forward for forward in settings.forwards if forward.one_to_one]
        settings = replace(settings, forwards=(*forwards, *others))
        options = replace(options, nat=replace(options.nat, settings=settings))
        if self._installed is not None and options.lans:
            fitted = fitted_options(options, self.host_values)
            _refuse_ports_of_host(self._installed.request, request_of(fitted))
        return self._prepare(options)

    def _prepare(self, options: RunOptions, anew: bool = False) -> dict[str, Any]:
        fitted = self.fit(options, anew)
        self._prepared = options, fitted
        return {
            "host_values": fitted.host_values.line(),
            "notes": fitted.notes,
            "warnings": fitted.warnings,
        }

    def _go(self, _: object) -> dict[str, Any]:
        if self._prepared is None:
            raise TryAgain("this host has changed meanwhile; try again")
        options, fitted = self._prepared
        self._prepared = None
        warnings = self.become(State(options, fitted.host_values), fitted.options)
        return {"host_values": self.host_values.line(), "warnings": warnings}

    def _back(self, _: object) -> dict[str, Any]:
        self.change_back()
        return {"host_values": self.host_values.line()}


class ClientHostSetup:
    """In the NAT's process: it asks, and hears of the helper's host values."""

    def __init__(self, host_values: HostValues, helper: Undoing) -> None:
        self.host_values = host_values
        self.report = Report()
        self._helper = helper

    def fileno(self) -> int:
        return self._helper.fileno()

    def begin(self) -> tuple[str, ...]:
        """Let the host be set up; returns warnings.  Raises RunError with nothing changed."""
        return tuple(self._ask(BEGIN, None, BEGUN_SECONDS)["warnings"])

    def news(self) -> HostValues | None:
        """The latest, where an answer was not later; raises RunError if there is no helper."""
        try:
            told = self._helper.news()
        except HelperDied as error:
            raise RunError(str(error)) from None
        if told and "report" in (row := json.loads(told[-1])):
            self.report = read_report(row["report"])
        host_values = read_host_values(told[-1]) if told else self.host_values
        if host_values.serial <= self.host_values.serial:
            return None
        self.host_values = host_values
        return host_values

    def look(self) -> Report:
        """What is wrong on this host now; raises RunError."""
        return read_report(self._ask(LOOK, None))

    def fit(self, asked: Asked, lasting: bool) -> Fitted:
        if lasting:
            answer = self._ask(RELOAD, sum_of(asked.file))
        else:
            forwards = asked.options.nat.settings.forwards
            texts = [str(forward) for forward in forwards if not forward.one_to_one]
            answer = self._ask(FORWARDS, texts)
        host_values = read_host_values(answer["host_values"])
        options = fitted_options(asked.options, host_values)
        return Fitted(options, host_values, tuple(answer["notes"]), tuple(answer["warnings"]))

    def change(self, asked: Asked, fitted: Fitted) -> tuple[str, ...]:
        answer = self._ask(GO, None)
        self.host_values = read_host_values(answer["host_values"])
        return tuple(answer["warnings"])

    def change_back(self) -> None:
        self.host_values = read_host_values(self._ask(BACK, None)["host_values"])

    def _ask(self, name: str, value: object, seconds: float = DONE_SECONDS) -> dict[str, Any]:
        question = json.dumps({name: value})
        try:
            answer: dict[str, Any] = json.loads(self._helper.ask(question, seconds))
        except ChildError as error:
            raise RunError(str(error)) from None
        if "error" in answer:
            raise (TryAgain if answer.get("again") else RunError)(answer["error"])
        return answer


def sum_of(file: Configuration) -> int:
    """Tells one content of the configuration file from another."""
    return crc32(json.dumps(file.texts, sort_keys=True).encode())


def _refuse_ports_of_host(before: Request, after: Request) -> None:
    """Raise RunError where another port of the host's would become the NAT's."""
    try:
        host = survey()
    except ChildError as error:
        raise RunError(f"cannot look at this host: {error}") from None
    had = {one.address: one.by_protocol() for one in before.shared}
    for shared in after.shared:
        own = ports_of_host(shared.address, host)
        for protocol, ranges in shared.by_protocol().items():
            more = PortSet.of(ranges).without(had.get(shared.address, {}).get(protocol, ()))
            free = PortSet(more).without(own) if more else ()
            if free != more:
                refused = PortSet(more).without(free)
                raise RunError(
                    f"ports {PortSet(refused)} of {shared.address} are this host's; a forward that"
                    " takes one has to be in the configuration file"
                )
