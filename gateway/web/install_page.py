"""Answers with the page that a portal opens to install the application: confirmed, set up, and told
of.

It comes from the browser of whoever installs, so networks that may deliver have no say here. It is
confirmed like an event (gateway.installation.installer). Nothing is kept for later: who sees that
it did not work opens it again.
https://apidocs.bitrix24.com/settings/app-installation/installation-finish.html
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from time import time_ns
from typing import Any, Final

import structlog
from aiohttp import web
from uuid_utils import uuid7

from gateway import metrics
from gateway.bitrix24.bindings import Bound
from gateway.bitrix24.errors import Bitrix24Error
from gateway.contract import APP_SUBJECT
from gateway.inbound.form import FormError
from gateway.installation.assembly import ApplicationParts
from gateway.installation.claim import claim_of_page
from gateway.installation.confirmation import Confirmed
from gateway.installation.errors import InstallationDelayed, NotConfirmed
from gateway.installation.installer import Installer
from gateway.installation.page.outcome import (
    InstallConnected,
    InstallOutcome,
    InstallPostponed,
    InstallRefused,
    is_opened_at,
)
from gateway.installation.page.texts import language_of
from gateway.installation.page.view import page_of
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.web.fixed_answers import answer_to_a_look, last_answer
from gateway.web.late_bodies import LateBodies, is_expectation_unknown
from gateway.web.protection.guard import clients_of

__all__ = ["InstallPage", "install_page"]

log: Any = structlog.get_logger(__name__)


_BINDING_S: Final = 20.0
# Somebody waits in front of it.


class InstallPage:
    """Answers what comes to `[http] install_path`."""

    def __init__(
        self,
        installer: Installer,
        binds: Callable[[str], Awaitable[Bound | None]],
        settings: Settings,
    ) -> None:
        self._installer = installer
        self._binds = binds
        self._handler = settings.handler_url
        self._events = tuple(
            row.wire_name for row in settings.subscription.rows if row.subject_kind != APP_SUBJECT
        )
        self._clients = clients_of(settings.http)
        self.path = settings.http.install_path

    async def handle(self, request: web.BaseRequest, bodies: LateBodies) -> web.Response:
        """Answer one request."""
        if request.method != "POST":
            return answer_to_a_look(request.method)
        if is_expectation_unknown(request):
            return last_answer(417, "expectation failed", "expectation")
        reference = str(uuid7())
        try:
            outcome = await self._outcome(request, bodies, reference)
        except Exception:
            log.exception("the installation page failed", event_id=reference)
            outcome = InstallPostponed("internal")
        page = page_of(
            outcome,
            language=language_of(request.query.get("LANG", "")),
            reference=reference,
            nonce=secrets.token_urlsafe(16),
        )
        response = web.Response(status=page.status, text=page.html, headers=page.headers)
        if not request.content.at_eof():  # a body that is too large, or does not come
            response.force_close()
        return response

    async def _outcome(
        self, request: web.BaseRequest, bodies: LateBodies, reference: str
    ) -> InstallOutcome:
        try:
            one = await self._confirmed(request, bodies)
            await self._installer.register(one)
            has_token = await self._installer.knows_token(one.member_id)
        except NotConfirmed as error:
            metrics.INSTALLATIONS.labels("refused").inc()
            log.warning("an installation is refused", event_id=reference, why=error.reason)
            return InstallRefused(error.reason, error.domain)
        except InstallationDelayed as error:
            log.warning("an installation has to wait", event_id=reference, why=error.reason)
            return InstallPostponed(error.reason)
        metrics.INSTALLATIONS.labels("installed").inc()
        log.info(
            "the application was set up",
            event_id=reference,
            member_id=one.member_id,
            domain=one.domain,
            has_token=has_token,
        )
        bound, trouble = await self._bound(one.member_id)
        return InstallConnected(
            domain=one.domain,
            origins=one.origins,
            has_token=has_token,
            handler=self._handler,
            events=self._events,
            bound=bound,
            trouble=trouble,
        )

    async def _confirmed(self, request: web.BaseRequest, bodies: LateBodies) -> Confirmed:
        try:
            body = await bodies.read(request)
            received_ms = time_ns() // 1_000_000
            claim = claim_of_page(body, received_s=received_ms // 1000)
        except (
            TimeoutError,
            ConnectionError,
            web.HTTPException,
            web.RequestPayloadError,
            FormError,
        ) as error:
            raise NotConfirmed("no_form") from error
        one = await self._installer.confirm(
            claim,
            received_ms=received_ms,
            is_complete=False,
            urgent_for=self._clients.of(
                request.remote, request.headers.getall("X-Forwarded-For", ())
            ),
        )
        if not is_opened_at(request.query.get("DOMAIN", ""), one.origins):
            raise NotConfirmed("other_domain", domain=one.domain)
        return one

    async def _bound(self, member_id: str) -> tuple[Bound | None, str]:
        try:
            async with asyncio.timeout(_BINDING_S):
                return await self._binds(member_id), ""
        except TimeoutError:
            return None, "the portal does not answer"
        except Bitrix24Error as error:
            return None, str(error)
        except connections.FAILURES as error:
            return None, f"Redis: {type(error).__name__}"


def install_page(settings: Settings, application: ApplicationParts) -> InstallPage | None:
    """The page; None where the settings have no application."""
    installing = application.installing
    if installing is None:
        return None
    return InstallPage(installing.installer, installing.binds, settings)
