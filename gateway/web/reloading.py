"""Reads the settings anew while the receiver works, on SIGHUP: portals and their tokens.

They are what changes while an installation lives. Everything else is read at the start alone; what
differs there is named, so that nobody believes it to be in force.
"""

import os
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from gateway.errors import OperatorError
from gateway.portals.directory import portals_of
from gateway.settings import Settings
from gateway.settings.running_up import load_here
from gateway.web.senders import Senders

__all__ = ["Reloading", "sections_that_differ", "settings_again"]

log: Any = structlog.get_logger(__name__)

_TAKEN = "portals"


class Reloading:
    """Takes the portals of the settings as they are now, for one process.

    `read` reads them; it raises OperatorError for settings that are refused, and then everything
    stays as it was. Not safe to be called again before it has returned.
    """

    def __init__(self, settings: Settings, read: Callable[[], Settings], senders: Senders) -> None:
        self._settings = settings
        self._read = read
        self._senders = senders

    async def take(self) -> None:
        """Read, and let those portals send, with those tokens, that there are now; never raises.

        A delivery with a token that was there before and is there still is admitted meanwhile.
        """
        try:
            settings = self._read()
            portals = portals_of(settings.portals)
        except OperatorError as error:
            log.error("the settings were not read again; everything stays", why=str(error))
            return
        await self._senders.follower.settle(portals)
        log.info(
            "portals of the settings read again",
            portals=len(portals),
            needs_restart=sections_that_differ(self._settings, settings),
        )


def settings_again(config: str | None) -> Settings:
    """The settings as they are now, of the file that was named at the start; raises SettingsError.

    The environment is that of the process, which nobody outside can change.
    """
    return load_here(config, os.environ)[0]


def sections_that_differ(before: Settings, now: Settings) -> list[str]:
    """The sections, the portals aside, that are not what they were."""
    was, is_now = msgspec.structs.asdict(before), msgspec.structs.asdict(now)
    return [name for name in was if name != _TAKEN and was[name] != is_now[name]]
