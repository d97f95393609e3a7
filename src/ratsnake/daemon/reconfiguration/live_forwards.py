"""Static forwards that are added and removed while the NAT runs: until a reload or restart."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...nat.settings.static_forward import Forward, resolve
from ..configuration.configuration_file import Asked, Sources
from ..configuration.flag_table import FORWARD_FLAG
from ..configuration.option_parsing import run_options
from ..control.control_protocol import CONFIGURED, LIVE
from ..control.control_server import Page, Request
from ..user_errors import UsageError, near, tried
from .active_settings import ActiveSettings

LISTED = 4  # forwards that a message lists


class LiveForwards:
    def __init__(self, active_settings: ActiveSettings, sources: Sources) -> None:
        """`sources` are where the forwards that last are read from."""
        self._active_settings = active_settings
        self._sources = sources

    def answer(self, request: Request) -> dict[str, Any]:
        """Add or remove one; raises UsageError or RunError with nothing changed."""
        if isinstance(request.get("add"), str):
            return self._add(request["add"], request.get("again") is True)
        if isinstance(request.get("remove"), str):
            return self._remove(request["remove"])
        raise ValueError('forward needs "add" or "remove", each with a forward')

    def rows(self, request: Request) -> Iterator[Page]:
        """Those in force, in their order."""
        yield [
            {**_fields(text, forward), "origin": self._origin(forward)}
            for text, forward in self._present()
        ]

    def _add(self, text: str, again: bool) -> dict[str, Any]:
        """`again`: one that is there already is no mistake."""
        wanted, texts = self._read(text), texts_of(self._active_settings.asked)
        if all(forward != wanted for _, forward in self._present()):
            texts.append(text)
        elif not again:
            raise UsageError(f"forward {text}: is there already")
        return self._change(texts, wanted)

    def _remove(self, text: str) -> dict[str, Any]:
        unwanted = self._read(text)
        present = self._present()
        left = [text for text, forward in present if forward != unwanted]
        if len(left) == len(present):
            raise UsageError(
                f"forward {text}: there is none such{_near(text, [text for text, _ in present])}"
            )
        return self._change(left, unwanted)

    def _change(self, texts: list[str], forward: Forward) -> dict[str, Any]:
        before = self._active_settings.asked
        changed = {**before.texts, FORWARD_FLAG.key: texts}
        # What is wrong now is wrong with this forward, wherever the others were read.
        options = run_options(changed, {**before.names, FORWARD_FLAG.key: "forward"})
        asked = replace(before, texts=changed, options=options)
        row = tried(lambda: self._active_settings.change_for_now(asked)).row()
        file = self._sources.file
        return {
            **row,
            "origin": self._origin(forward),
            "file": None if file is None else str(file.absolute()),
            "by_flag": self._sources.flags.get(FORWARD_FLAG.key) is not None,
        }

    def _origin(self, forward: Forward) -> str:
        """Whether it comes with what the NAT was told to keep to."""
        lasting = (self._read(text) for text in texts_of(self._active_settings.configured))
        return CONFIGURED if forward in lasting else LIVE

    def _present(self) -> list[tuple[str, Forward]]:
        """Those in force: as they were written, and with their outside address."""
        return [(text, self._read(text)) for text in texts_of(self._active_settings.asked)]

    def _read(self, text: str) -> Forward:
        """With its outside address; raises UsageError."""
        forward = FORWARD_FLAG.read(text, "forward")
        try:
            return resolve(forward, self._active_settings.fitted.nat.settings.addresses)
        except ValueError as error:
            raise UsageError(str(error)) from None


def texts_of(asked: Asked) -> list[str]:
    """The forwards that are asked for, as they were written."""
    return list(asked.texts.get(FORWARD_FLAG.key) or ())


def _fields(text: str, forward: Forward) -> dict[str, Any]:
    """A row of the control protocol, but for its origin."""
    return {
        "forward": text,
        "protocols": list(forward.protocols),
        "external": str(forward.external),
        "external_ports": [forward.first_port, forward.last_port],
        "internal": str(forward.internal),
        "internal_ports": [forward.internal_port, forward.last_internal_port],
        "remotes": [str(remote) for remote in forward.remotes],
    }


def _near(text: str, known: list[str]) -> str:
    if hint := near(text, known):
        return hint
    if not known:
        return "; there are no forwards at all"
    more = " and others" if len(known) > LISTED else ""
    return f"; there are {', '.join(known[:LISTED])}{more}"
