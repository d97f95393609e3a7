"""Reading the configuration file anew: when a client asks for it, or a signal."""

import logging
from collections.abc import Callable
from typing import Any

from ..configuration.configuration_file import Asked, Sources
from ..configuration.settings_diff import Difference, differences
from ..control.control_server import Request
from ..sd_notify import ServiceManager
from ..user_errors import RunError, UsageError, tried
from .active_settings import ActiveSettings, Outcome

log = logging.getLogger(__name__)


class Reloading:
    def __init__(
        self,
        sources: Sources,
        active_settings: ActiveSettings,
        service_manager: ServiceManager,
        state: Callable[[], str],
    ) -> None:
        """`state` is what the service manager is told when all is done."""
        self._sources = sources
        self._active_settings = active_settings
        self._service_manager = service_manager
        self._state = state

    @property
    def has_file(self) -> bool:
        """Whether there is anything to read anew."""
        return self._sources.file is not None

    def answer(self, request: Request) -> dict[str, Any]:
        """Reload, and tell a client; raises UsageError or RunError with nothing changed."""
        if not self.has_file:
            raise UsageError(
                "there is nothing to reload: the NAT runs without a configuration file; give"
                " `ratsnake run` one by --config FILE"
            )
        outcome, hidden = self._reload()
        notes = [f"{key}: a flag of `ratsnake run` wins over it" for key in hidden]
        row = outcome.row()
        return {**row, "file": str(self._sources.file), "notes": [*row["notes"], *notes]}

    def by_signal(self) -> None:
        """Reload; what is wrong is logged."""
        try:
            self._reload()
        except (UsageError, RunError) as error:
            log.debug("the signal has no effect: %s", error)
        except Exception as error:  # a defect in it must not end the NAT
            log.error("a reload failed: %r", error)

    def _reload(self) -> tuple[Outcome, list[str]]:
        """And the keys that have changed in the file, but count for nothing."""
        log.info("reloading %s", self._sources.file)
        self._service_manager.reloading()
        state = "not reloaded"
        try:
            try:
                asked, changed, outcome = tried(self._activate_file)
            except RunError as error:
                raise RunError(f"{self._sources.file}: {error}") from None
            state = self._state()
        except (UsageError, RunError) as error:
            state = f"not reloaded: {error}"
            log.error("nothing is reloaded: %s", error)
            raise
        finally:
            self._service_manager.tell(READY="1", STATUS=state)
        beaten = {one.key for one in differences(asked.file.texts, asked.texts)}
        return outcome, [one.key for one in changed if one.key in beaten]

    def _activate_file(self) -> tuple[Asked, tuple[Difference, ...], Outcome]:
        """What the file says, what of that is new, and what has come of it."""
        asked = self._sources.read()
        changed = differences(self._active_settings.configured.file.texts, asked.file.texts)
        return asked, changed, self._active_settings.change(asked)
