"""Serves the authorization server over HTTP: refreshing tokens, and `app.info` about a token.

https://apidocs.bitrix24.com/settings/oauth/auto-renewal.html and
https://apidocs.bitrix24.com/settings/oauth/error-codes.html
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from gateway.sandbox.call_results import RestError, SeenCall
from gateway.sandbox.faults import Faults
from gateway.sandbox.grants import ACCESS_LIFE_S, Grant, Grants, RegisteredApplication
from gateway.sandbox.installations import Installation
from gateway.sandbox.json_answers import error_answer, json_answer, time_of
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.parameters import access_token, folded, read_parameters

__all__ = ["OAuthServer"]


class OAuthServer:
    """Knows all applications and portals. `calls` are what it was asked, in order.

    `portals` are by member id. `faults` go wrong for every portal.
    """

    def __init__(
        self, grants: Grants, portals: Mapping[str, LivePortal], clock: Callable[[], float]
    ) -> None:
        self.url = ""
        self.faults = Faults()
        self.calls: list[SeenCall] = []
        self.applications: dict[str, RegisteredApplication] = {}
        self._grants = grants
        self._portals = portals
        self._clock = clock

    def app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application()
        for path in ("/oauth/token/", "/oauth/token"):
            app.router.add_route("*", path, self._token)
        for path in ("/rest/app.info", "/rest/app.info/", "/rest/app.info.json"):
            app.router.add_route("*", path, self._app_info)
        return app

    async def _token(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, "oauth/token", self._renewed)

    async def _app_info(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, "app.info", self._told)

    async def _answered(
        self,
        request: web.Request,
        name: str,
        answer: Callable[[str, Mapping[str, Any]], dict[str, Any]],
    ) -> web.StreamResponse:
        token, parameters = access_token(request, await read_parameters(request))
        seen = SeenCall(method=name, parameters=parameters)
        self.calls.append(seen)
        try:
            wrong = await self.faults.intervene(request, parameters, seen)
            if wrong is not None:
                return wrong
            told = answer(token, parameters)
        except RestError as error:
            seen.status, seen.error = error.status, error.code
            return error_answer(error)
        return self.faults.last(request, json_answer(told), seen)

    def _renewed(self, _token: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        asked = folded(parameters)
        if asked.get("GRANT_TYPE") != "refresh_token" or not asked.get("REFRESH_TOKEN"):
            raise RestError(400, "invalid_request", "Bad Request")
        client_id = str(asked.get("CLIENT_ID", ""))
        application = self.applications.get(client_id)
        if application is None or asked.get("CLIENT_SECRET") != application.client_secret:
            # Not a status of failure: so it was seen to answer.
            raise RestError(200, "wrong_client", "Wrong client")
        grant = self._grants.renew(client_id, str(asked["REFRESH_TOKEN"]))
        if grant is None:
            raise RestError(400, "invalid_grant", "The refresh token is invalid or expired")
        portal, installation = self._installation(grant)
        return {
            "access_token": grant.access_token,
            "client_endpoint": portal.endpoint,
            "domain": urlsplit(self.url).netloc,
            "expires": grant.expires_at,
            "expires_in": ACCESS_LIFE_S,
            "member_id": grant.member_id,
            "refresh_token": grant.refresh_token,
            "scope": installation.scope,
            "server_endpoint": f"{self.url}rest/",
            "status": installation.status,
            "user_id": grant.user_id,
        }

    def _told(self, token: str, _parameters: Mapping[str, Any]) -> dict[str, Any]:
        began = self._clock()
        grant = self._grants.of(token)
        if grant is None:
            raise RestError(401, "NO_AUTH_FOUND", "Wrong authorization data")
        if self._grants.has_expired(grant):
            raise RestError(401, "expired_token", "The access token provided has expired.")
        portal, installation = self._installation(grant)
        return {
            "result": {
                "client_id": grant.client_id,
                "scope": installation.scope,
                "expires": datetime.fromtimestamp(grant.expires_at, tz=UTC).isoformat(),
                "install": {
                    "installed": installation.is_finished,
                    "version": str(installation.version),
                    "status": installation.status,
                    "scope": installation.scope,
                    # Without a port, which real portals do not have.
                    "domain": urlsplit(portal.endpoint).hostname,
                    "uri": portal.endpoint.removesuffix("/rest/"),
                    "client_endpoint": portal.endpoint,
                    "member_id": grant.member_id,
                    "member_type": "0",
                },
                "user_id": grant.user_id,
            },
            "time": time_of(began, self._clock()),
        }

    def _installation(self, grant: Grant) -> tuple[LivePortal, Installation]:
        portal = self._portals[grant.member_id]
        installation = portal.installations.of(grant.client_id)
        if installation is None:
            raise RestError(401, "NOT_INSTALLED", "Application is not installed")
        return portal, installation
