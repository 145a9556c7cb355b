"""Asks the listed authorization servers in turn whose the token of a claimed installation is.

The one that the claim names comes first, if it is listed, so that a genuine claim costs one
question, and a server that is away holds up no portal of another one. A forged claim costs one
question for each server at most, out of what that server is asked at all
(gateway.installation.checks).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Final

import structlog
from msgspec import Struct

from gateway.bitrix24.applications import Applications
from gateway.bitrix24.authorization import AppInfo, AuthorizationServer
from gateway.bitrix24.errors import Bitrix24Error, NotInPlan, PortalGone, Unauthorized
from gateway.installation.checks import Checks
from gateway.installation.claim import Claim
from gateway.installation.confirmation import why_rejected
from gateway.installation.errors import InstallationDelayed, NotConfirmed

__all__ = ["Patience", "TokenInquiry", "TokenReport"]

log: Any = structlog.get_logger(__name__)

_IN_TIME_S: Final = 4.0
# Bitrix24 waits for the answer to its delivery, and calls slow handlers less often.


class Patience:
    """Bounds how long all answers together may be waited for; waiting for a turn does not count."""

    def __init__(self) -> None:
        self._left_s = _IN_TIME_S

    @asynccontextmanager
    async def answer(self, *, of: int = 1) -> AsyncIterator[None]:
        """Wait for one answer `of` so many that may have to be; raises InstallationDelayed when it
        takes long.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(max(0.0, self._left_s) / of):
                yield
        except TimeoutError as error:
            raise InstallationDelayed("no_answer_in_time") from error
        finally:
            self._left_s -= loop.time() - began


class TokenReport(Struct, frozen=True, kw_only=True):
    """What a server says of a token: its root, the applications listed for it, and its answer."""

    server: str
    client_ids: frozenset[str]
    info: AppInfo


class TokenInquiry:
    """Asks the authorization servers whose the token of a claim is."""

    def __init__(self, applications: Applications, checks: Checks) -> None:
        self._applications = applications
        self._checks = checks

    def place(self, *, urgent_for: str) -> AbstractContextManager[None]:
        """To be held while a claim is looked into; as Checks.place."""
        return self._checks.place(urgent_for=urgent_for)

    async def told(self, claim: Claim, *, patience: Patience, urgent_for: str) -> TokenReport:
        """What the first server says that knows the claimed token.

        Raises NotConfirmed if none does, or if the one that might says why it will not;
        InstallationDelayed if one of those that might cannot be asked now.
        """
        servers = self._applications.servers(claim.server)
        later: InstallationDelayed | None = None
        for number, server in enumerate(servers):
            await self._checks.turn(server.url, urgent_for=urgent_for)
            try:
                async with patience.answer(of=len(servers) - number):
                    info = await _asked(server, claim)
            except InstallationDelayed as error:
                later = error
                continue
            if info is not None:
                ids = self._applications.ids_at(server.url)
                return TokenReport(server=server.url, client_ids=ids, info=info)
        if later is not None:
            raise later
        raise NotConfirmed(why_rejected(claim, servers=[one.url for one in servers]))


async def _asked(server: AuthorizationServer, claim: Claim) -> AppInfo | None:
    """What the server says; None if it does not know the token. Raises NotConfirmed,
    InstallationDelayed.
    """
    try:
        return await server.app_info(claim.access_token)
    except (Unauthorized, PortalGone):
        return None
    except NotInPlan as error:
        raise NotConfirmed("not_in_plan") from error
    except Bitrix24Error as error:
        log.warning("the authorization server confirms nothing", server=server.url, why=str(error))
        raise InstallationDelayed("authorization_server") from error
