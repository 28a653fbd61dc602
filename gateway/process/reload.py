"""What is read again at SIGHUP, without a restart: the manifests of trusted documents, and
log_level.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gateway.settings import Settings, SettingsError
from gateway.settings.configuration import read_settings
from gateway.telemetry.log_output import Line

log = logging.getLogger("gateway")


class Reload:
    def __init__(
        self, settings: Settings, environ: Mapping[str, str], trust: Callable[[Settings], None]
    ) -> None:
        """`settings` are those in use. `trust` reads the manifests that settings name and uses
        them; if it raises SettingsError, it has changed nothing.
        """
        self._settings = settings
        self._environ = environ
        self._trust = trust
        # A thread, because thousands of documents take seconds to validate; one, because reloads
        # follow one another.
        self._thread = ThreadPoolExecutor(1, "reload")

    def begin(self) -> None:
        """Reload at each SIGHUP, while the running event loop runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, loop.run_in_executor, self._thread, self.reload)

    def reload(self) -> None:
        """Read the settings and the manifests again; a mistake leaves everything as it was. The log
        says what became of it.
        """
        try:
            found = read_settings(self._environ)
            self._trust(found)
        except SettingsError as mistakes:
            for mistake in str(mistakes).splitlines():
                log.error(Line("reload_failed", {"mistake": mistake}))
            return
        self._settings = dataclasses.replace(
            self._settings, log_level=found.log_level, trusted_documents=found.trusted_documents
        )
        log.setLevel(found.log_level.upper())
        manifests = ", ".join(found.trusted_documents) or None
        log.info(Line("reloaded", {"log_level": found.log_level, "manifests": manifests}))
        if waiting := list(_differing(self._settings, found)):
            log.warning(Line("restart_needed", {"settings": ", ".join(waiting)}))


def _differing(used: Any, found: Any, table: str = "") -> Iterator[str]:
    """The names of settings that are not what they were."""
    for field in dataclasses.fields(used):
        before, now = getattr(used, field.name), getattr(found, field.name)
        if dataclasses.is_dataclass(before):
            yield from _differing(before, now, f"{table}{field.name}.")
        elif before != now:
            yield table + field.name
