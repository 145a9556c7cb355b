"""Serves a portal's REST methods over HTTP: who calls, within which limits, one by one or in a
batch.

https://apidocs.bitrix24.com/settings/how-to-call-rest-api/index.html. The statuses of errors are
those of the documentation, which portals do not always keep to.
"""

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from gateway.sandbox.call_results import RestError, SeenCall
from gateway.sandbox.calls import Call, Caller, Method
from gateway.sandbox.chat_methods import CHAT_METHODS
from gateway.sandbox.comment_methods import COMMENT_METHODS
from gateway.sandbox.deal_methods import DEAL_METHODS
from gateway.sandbox.event_methods import EVENT_METHODS
from gateway.sandbox.faults import error_page
from gateway.sandbox.grants import MAX_HOPS
from gateway.sandbox.item_methods import ITEM_METHODS
from gateway.sandbox.json_answers import (
    as_php_array,
    error_answer,
    json_answer,
    members_of,
    time_of,
)
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.offline_methods import OFFLINE_METHODS
from gateway.sandbox.parameters import access_token, listed, query_parameters, read_parameters
from gateway.sandbox.portal_methods import PORTAL_METHODS
from gateway.sandbox.task_methods import TASK_METHODS
from gateway.sandbox.users import ADMINISTRATOR

__all__ = ["portal_app"]

_METHODS: Final[dict[str, Method]] = (
    CHAT_METHODS
    | COMMENT_METHODS
    | DEAL_METHODS
    | EVENT_METHODS
    | ITEM_METHODS
    | OFFLINE_METHODS
    | PORTAL_METHODS
    | TASK_METHODS
)
_SCOPES: Final = {"crm": "crm", "im": "im", "tasks": "task"}
"""The right that methods need, by the first word of their names; others need none."""
_BATCH: Final = "batch"
_MAX_COMMANDS: Final = 50
_WEBHOOK_SCOPE: Final = frozenset({"crm", "im", "task", "user_brief"})


def portal_app(portal: LivePortal) -> web.Application:
    """The portal's HTTP application."""
    door = _Door(portal)
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/rest/{user:[0-9]+}/{code}/{method}", door.answer)
    app.router.add_route("*", "/rest/{method}", door.answer)
    # The official SDK ends the authorization server's address of app.info in a slash, too.
    app.router.add_route("*", "/rest/{method}/", door.answer)
    return app


class _Door:
    def __init__(self, portal: LivePortal) -> None:
        self._portal = portal

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, and keep a record of it."""
        portal = self._portal
        token, parameters = access_token(request, await read_parameters(request))
        seen = SeenCall(
            method=request.match_info["method"].removesuffix(".json"), parameters=parameters
        )
        portal.calls.append(seen)
        moved = self._moved(request)
        if moved is not None:
            seen.status, seen.error = moved.status, "moved"
            return moved
        try:
            self._count(request)
            wrong = await portal.faults.intervene(request, parameters, seen)
            if wrong is not None:
                return wrong
            began = portal.clock()
            caller = self._caller(request, token)
            with portal.announcer.hit():
                told = self._carried_out(caller, seen, parameters, began)
        except RestError as error:
            seen.status, seen.error = error.status, error.code
            return error_answer(error, **error.more)
        return portal.faults.last(request, json_answer(told), seen)

    def _count(self, request: web.Request) -> None:
        if not self._portal.admits(request.remote or "", time.monotonic()):
            raise RestError(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")

    def _moved(self, request: web.Request) -> web.Response | None:
        """The answer at an address where the portal was before."""
        portal = urlsplit(self._portal.endpoint)
        here = request.get_extra_info("sockname")
        if here is None or here[1] == portal.port:
            return None
        return error_page(302, Location=f"{portal.scheme}://{portal.netloc}{request.path_qs}")

    def _caller(self, request: web.Request, token: str) -> Caller:
        portal = self._portal
        code = request.match_info.get("code")
        if code is not None:
            user_id = int(request.match_info["user"])
            if (user_id, code) != (ADMINISTRATOR, portal.webhook_code):
                raise RestError(401, "INVALID_CREDENTIALS", "Invalid request credentials")
            return Caller(
                user_id=user_id,
                is_admin=portal.users.is_admin(user_id),
                scope=_WEBHOOK_SCOPE,
                hops=MAX_HOPS,
            )
        grant = portal.grants.of(token)
        if grant is None or grant.member_id != portal.member_id:
            raise RestError(401, "NO_AUTH_FOUND", "Wrong authorization data")
        if portal.grants.has_expired(grant):
            raise RestError(401, "expired_token", "The access token provided has expired.")
        installation = portal.installations.of(grant.client_id)
        if installation is None:
            raise RestError(401, "APPLICATION_NOT_FOUND", "Application not found")
        return Caller(
            user_id=grant.user_id,
            is_admin=portal.users.is_admin(grant.user_id),
            client_id=grant.client_id,
            scope=frozenset(installation.scope.split(",")),
            hops=grant.hops,
        )

    def _carried_out(
        self, caller: Caller, seen: SeenCall, parameters: Mapping[str, Any], began: float
    ) -> dict[str, Any]:
        """The whole answer to a method; raises RestError."""
        if seen.method == _BATCH:
            result = self._batch(caller, seen, parameters)
            return {"result": result, "time": time_of(began, self._portal.clock())}
        return self._method(caller, seen.method, parameters)

    def _method(self, caller: Caller, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        portal = self._portal
        carry_out = _METHODS.get(method.lower())
        if carry_out is None:
            raise RestError(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        needed = _SCOPES.get(method.lower().partition(".")[0])
        if needed is not None and needed not in caller.scope:
            raise RestError(
                401,
                "insufficient_scope",
                "The request requires higher privileges than provided by the access token",
            )
        whose = f"{caller.kind}:{caller.client_id}"
        began = portal.clock()
        if portal.operating.is_over(whose, method, began):
            raise RestError(
                429,
                "OPERATION_TIME_LIMIT",
                "Method is blocked due to operation time limit.",
                time=self._times(whose, method, began),
            )
        told = members_of(carry_out(Call(portal, caller, parameters)))
        cost_s = portal.clock() - began + portal.costs_s.get(method, 0.0)
        portal.operating.spend(whose, method, cost_s, portal.clock())
        return told | {"time": self._times(whose, method, began)}

    def _times(self, whose: str, method: str, began: float) -> dict[str, Any]:
        portal, ended = self._portal, self._portal.clock()
        if portal.plan.operating_limit_s == float("inf"):
            return time_of(began, ended)
        return time_of(
            began,
            ended,
            operating_s=portal.operating.spent_s(whose, method, ended),
            reset_at=portal.operating.reset_at(whose, method, ended),
        )

    def _batch(
        self, caller: Caller, seen: SeenCall, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """https://apidocs.bitrix24.com/settings/how-to-call-rest-api/batch.html."""
        call = Call(self._portal, caller, parameters)
        asked = call.get("cmd")
        if not isinstance(asked, Mapping):
            asked = {str(index): one for index, one in enumerate(listed(asked))}
        is_halting = call.text("halt").lower() not in ("", "0", "false")
        parts: dict[str, dict[str, Any]] = {
            key: {} for key in ("result", "error", "total", "next", "time")
        }
        for index, (name, command) in enumerate(asked.items()):
            method, _, query = str(command).partition("?")
            one = SeenCall(method=method.removesuffix(".json"), parameters=query_parameters(query))
            seen.commands.append(one)
            try:
                _check_command(index, one.method)
                told = self._method(caller, one.method, one.parameters)
            except RestError as error:
                one.status, one.error = error.status, error.code
                refusal = {"error": error.code, "error_description": error.description}
                parts["error"][name] = refusal
                parts["time"] |= {name: error.more["time"]} if "time" in error.more else {}
                if is_halting:
                    break
            else:
                for key, value in told.items():
                    parts[key][name] = value
        return {
            ("result" if key == "result" else f"result_{key}"): as_php_array(part)
            for key, part in parts.items()
        }


def _check_command(index: int, method: str) -> None:
    if index >= _MAX_COMMANDS:
        raise RestError(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    if method.lower() == _BATCH:
        reason = "Method is not allowed for batch usage"
        raise RestError(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", reason)
