"""Adds the console to the admin listener; what it is made of is imported when somebody first asks.

A receiver that nobody looks at so pays neither the time nor the memory for it.
"""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.settings import Settings
from gateway.web.protection.visitor_rules import VisitorRules

__all__ = ["PATH", "ConsoleMount"]

log: Any = structlog.get_logger(__name__)

PATH: Final = "/console/"
_MISSING: Final = "the console needs Jinja2: pip install 'bitrix24-event-gateway[console]'\n"


class ConsoleMount:
    """The console of one process; `file` is where its settings stand, if anywhere."""

    def __init__(self, settings: Settings, file: Path | None) -> None:
        """Raises OperatorError if the settings would let in whom they should not."""
        self._settings = settings
        self._file = file
        self._rules = VisitorRules(settings.console)
        self._making = asyncio.Lock()
        self._site: Any = None

    def add_to(self, app: web.Application) -> None:
        """Answer what comes to `/console/` in this application."""
        app.router.add_get(PATH.rstrip("/"), _moved)
        app.router.add_route("*", PATH + "{place:.*}", self._handle)
        app.on_shutdown.append(self._stop)  # before requests are waited for
        app.on_cleanup.append(self._close)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        async with self._making:
            if self._site is None:
                try:
                    # Beside the loop: it takes a third of a second, in which deliveries may come.
                    module = await asyncio.to_thread(import_module, "gateway.console.site")
                except ModuleNotFoundError as error:
                    if error.name != "jinja2":
                        raise
                    return web.Response(status=501, text=_MISSING)
                self._site = module.ConsoleSite(self._settings, self._file, self._rules)
        response: web.StreamResponse = await self._site.handle(request)
        return response

    async def _stop(self, _app: web.Application) -> None:
        if self._site is not None:
            self._site.stop()

    async def _close(self, _app: web.Application) -> None:
        if self._site is not None:
            await self._site.close()


async def _moved(_request: web.Request) -> web.Response:
    return web.Response(status=308, headers={"Location": PATH})
