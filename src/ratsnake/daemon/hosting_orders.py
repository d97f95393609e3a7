"""What the NAT may ask of the host's side where that lives in the keeper, and how.

A question is a JSON object with one of these: "reload", to read the configuration file anew, which
must be what the asker has read (its check sum); "forwards", a list of the static forwards there
are; "back", to take the last of these back.  The answer has "error", or "findings" and "warnings".
"""

import json
from binascii import crc32
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..host.child import ChildError
from ..host.keeper import Undoing
from ..host.request import Request
from ..host.survey import survey
from ..nat.settings.forward_text import parse_forward
from ..portset import PortSet
from .configuration.file import Asked, Configuration, Sources
from .configuration.options import RunOptions
from .errors import RunError, UsageError
from .findings import Findings, fitted_options, read_findings
from .hosting import Hosting, State, with_addresses
from .surroundings import Fitted, fit, ports_of_host, request_of

RELOAD, FORWARDS, BACK = "reload", "forwards", "back"


class KeptHosting(Hosting):
    """In the keeper: it answers."""

    def __init__(self, file: Sources, *arguments: Any) -> None:
        """`file` is where the start has read what is asked for; the rest is as of Hosting."""
        super().__init__(*arguments)
        self._file = file

    def answer(self, question: str) -> str:
        answers = {RELOAD: self._reload, FORWARDS: self._forward, BACK: self._back}
        try:
            ((name, value),) = json.loads(question).items()
            warnings = answers[name](value)
        except (RunError, UsageError) as error:
            return json.dumps({"error": str(error)})
        except (ValueError, LookupError, TypeError, AttributeError):
            return json.dumps({"error": "the question is none of a NAT"})
        return json.dumps({"findings": self.state.findings.line(), "warnings": warnings})

    def _reload(self, check_sum: object) -> tuple[str, ...]:
        asked = self._file.read()
        if sum_of(asked.file) != check_sum:
            raise RunError("the configuration file has changed meanwhile; try again")
        return self.change(asked, self.fit(asked.options), lasting=True)

    def _back(self, _: object) -> tuple[str, ...]:
        self.change_back()
        return ()

    def _forward(self, texts: Iterable[object]) -> tuple[str, ...]:
        forwards = [parse_forward(str(text)) for text in texts]
        options = self.state.options
        settings = options.nat.settings
        others = [forward for forward in settings.forwards if forward.one_to_one]
        settings = replace(settings, forwards=(*forwards, *others))
        options = replace(options, nat=replace(options.nat, settings=settings))
        fitted = fitted_options(options, self.state.findings)
        if self._installed is not None and fitted.lan is not None:
            _refuse_ports_of_host(self._installed.request, request_of(fitted, fitted.lan))
        return self._become(State(options, self.state.findings), fitted)


class AskingHosting:
    """In the NAT's process: it asks, and hears of the keeper's findings."""

    def __init__(self, findings: Findings, keeper: Undoing) -> None:
        self.findings = findings
        self._keeper = keeper

    def fileno(self) -> int:
        return self._keeper.fileno()

    def news(self) -> Findings | None:
        """The latest, where an answer was not later; raises RunError if nobody follows any more."""
        try:
            told = self._keeper.news()
        except ChildError as error:
            raise RunError(str(error)) from None
        findings = read_findings(told[-1]) if told else self.findings
        if findings.serial <= self.findings.serial:
            return None
        self.findings = findings
        return findings

    def fit(self, options: RunOptions) -> Fitted:
        return fit(options, with_addresses(options, self.findings))

    def change(self, asked: Asked, fitted: Fitted, lasting: bool) -> tuple[str, ...]:
        if not lasting and not fitted.findings.shares:
            return ()  # forwards are the host's business only where it shares an address
        forwards = asked.options.nat.settings.forwards
        texts = [str(forward) for forward in forwards if not forward.one_to_one]
        answer = self._ask({RELOAD: sum_of(asked.file)} if lasting else {FORWARDS: texts})
        findings = read_findings(answer["findings"])
        if fitted_options(asked.options, findings) != fitted.options:
            self.change_back()
            raise RunError("this host has changed meanwhile; try again")
        self.findings = findings
        return tuple(answer["warnings"])

    def change_back(self) -> None:
        self.findings = read_findings(self._ask({BACK: True})["findings"])

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(self._keeper.ask(json.dumps(question)))
        except ChildError as error:
            raise RunError(str(error)) from None
        if "error" in answer:
            raise RunError(answer["error"])
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
    had = {one.address: dict(one.ports) for one in before.shared}
    for shared in after.shared:
        own = ports_of_host(shared.address, host)
        for protocol, ranges in shared.ports:
            more = PortSet.of(ranges).without(had.get(shared.address, {}).get(protocol, ()))
            free = PortSet(more).without(own) if more else ()
            if free != more:
                refused = PortSet(more).without(free)
                raise RunError(
                    f"ports {PortSet(refused)} of {shared.address} are this host's; a forward that"
                    " takes one has to be in the configuration file"
                )
