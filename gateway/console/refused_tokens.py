"""Logs wrong tokens, and lets their answers wait."""

import asyncio
import time
from typing import Any

import structlog
from aiohttp import web

from gateway.web.protection.wrong_tokens import WrongTokens

__all__ = ["RefusedTokens"]

log: Any = structlog.get_logger(__name__)


class RefusedTokens:
    """Slows down those who give wrong tokens to one process."""

    def __init__(self) -> None:
        self._wrong = WrongTokens()

    async def refuse(self, request: web.Request) -> None:
        """Return when a request with a wrong token may be answered; its line is a warning.

        Of warnings that say the same, twenty a second are logged, and the rest is counted.
        """
        log.warning("a wrong token at the console", address=request.remote)
        await asyncio.sleep(self._wrong.delay_s(request.remote, now=time.monotonic()))
