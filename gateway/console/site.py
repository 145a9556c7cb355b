"""Answers the requests of browsers and programs to the console: who asks, what, and by which page.

    GET  /console/NAME           a page
    GET  /console/api/NAME       the same answer as JSON
    GET  /console/api/tail/live  what comes to a stream, while it comes
    POST /console/act/NAME       something is changed; leads to a page that says what
    GET  /console/done/RESULT    that page, which may be loaded again
    POST /console/api/NAME       something is changed, and JSON says what

What another site asks for is refused before anything is looked at.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web
from msgspec.structs import replace

from gateway.console import (
    dead_letter_page,
    doctor_page,
    event_page,
    groups_page,
    now_page,
    portals_page,
    stuck_page,
    tail_page,
)
from gateway.console.asked_fields import fields_of_query, fields_of_request
from gateway.console.change_doubt import ChangeInDoubt
from gateway.console.change_results import ChangeResult, ChangeResults
from gateway.console.change_running import ACTIONS, ChangeRunner
from gateway.console.installation_looks import InstallationLooks
from gateway.console.last_answers import LastAnswers
from gateway.console.mounting import PATH
from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.console.page_rendering import PageRenderer
from gateway.console.page_texts import language_for
from gateway.console.refused_tokens import RefusedTokens
from gateway.console.site_responses import (
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    asset,
    guarded,
    html_response,
    json_response,
    with_session,
    without_session,
)
from gateway.console.tail_stream import TailStreams
from gateway.errors import OperatorError
from gateway.ops.group_removal import GroupInUse
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.settings import Settings
from gateway.web.protection.request_origin import why_not_change, why_not_read
from gateway.web.protection.visitor_rules import ConsoleVisitor, VisitorRules

__all__ = ["ConsoleSite"]

log: Any = structlog.get_logger(__name__)

PAGES: Final[dict[str, Any]] = {
    page.NAME: page
    for page in (
        now_page,
        event_page,
        dead_letter_page,
        stuck_page,
        tail_page,
        portals_page,
        groups_page,
        doctor_page,
    )
}
_LANGUAGE_FIELD: Final = "lang"
_LIVE: Final = ("api/tail", "live")
_NOT_HERE: Final = "what became of this change is not kept here any more; the audit log has it"
_NO_OPERATOR: Final = "only an operator may change something"


class ConsoleSite:
    """All pages of one process, and what they share. To be closed."""

    def __init__(self, settings: Settings, file: Path | None, rules: VisitorRules) -> None:
        own = settings.console.redis_url or settings.redis.url
        self._settings = replace(settings, redis=replace(settings.redis, url=own))
        self._looks = InstallationLooks(self._settings, settings, file)
        self._rules = rules
        self._renderer = PageRenderer()
        self._last = LastAnswers()
        self._refused = RefusedTokens()
        self._tails = TailStreams()
        self._changes = ChangeRunner()
        self._results = ChangeResults()

    def stop(self) -> None:
        """Let changes that take long end at their next step, and be recorded."""
        self._changes.stop()

    async def close(self) -> None:
        """End what is under way, recorded if it is a change, and close connections."""
        await self._changes.close()
        await self._looks.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        return guarded(await self._answer(request))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        place = request.match_info["place"] or now_page.NAME
        kind, _, name = place.rpartition("/")
        if (why_not := why_not_read(request.method, request.headers)) is not None:
            return json_response({"error": why_not}, status=403)
        if kind == "static" and (found := asset(name)) is not None:
            return found
        if request.method == "POST" and place in {"login", "logout"}:
            return await self._change_session(request, place)
        visitor = self._rules.visitor(
            request.remote,
            request.headers,
            request.cookies.get(SESSION_COOKIE),
            now=time.time(),
        )
        if visitor is None:
            return await self._not_let_in(request)
        try:
            shown = await self._answer_visitor(request, visitor, kind, name)
        except BadQuestion as error:
            return self._failed(request, visitor, 400, str(error))
        except GroupInUse as error:
            return self._failed(request, visitor, 409, str(error))
        except ChangeInDoubt as error:
            return self._failed(request, visitor, 503, str(error))
        except OperatorError as error:
            return self._failed(request, visitor, 404, str(error))
        except FAILURES as error:
            return self._failed(request, visitor, 503, f"Redis {_told(error)}")
        return shown or self._failed(request, visitor, 404, f"there is nothing at {request.path}")

    async def _answer_visitor(
        self, request: web.Request, visitor: ConsoleVisitor, kind: str, name: str
    ) -> web.StreamResponse | None:
        """The answer to somebody who was let in; None for what there is not."""
        is_looking, is_changing = request.method in {"GET", "HEAD"}, request.method == "POST"
        if is_looking and kind in {"", "api"} and name in PAGES:
            return await self._show(request, visitor, name)
        if is_looking and kind == "done":
            return self._show_result(request, visitor, name)
        if request.method == "GET" and (kind, name) == _LIVE:
            question = PageQuestion(self._settings, fields_of_query(request), self._looks)
            return await self._tails.send(request, question)
        if is_changing and kind in {"act", "api"} and name in ACTIONS:
            return await self._act(request, visitor, name)
        return None

    async def _show(
        self, request: web.Request, visitor: ConsoleVisitor, name: str
    ) -> web.StreamResponse:
        """A page, or its answer as JSON; what it was last, while Redis is away."""
        fields = fields_of_query(request)
        fields.pop(_LANGUAGE_FIELD, None)
        question = PageQuestion(self._settings, fields, self._looks)
        stale, status = None, 200
        try:
            answer = await PAGES[name].load(question)
            self._last.keep(name, fields, answer, now=time.time())
        except FAILURES as error:
            status = 503
            stale = self._last.instead(name, fields, f"Redis {_told(error)}", now=time.time())
            answer = stale.answer
        if _is_api(request):
            return json_response(answer if stale is None else stale, status=status)
        values = {"answer": answer, "stale": stale, "fields": fields, "page": name}
        return self._page(request, f"{name}.j2", visitor, values, status=status)

    async def _act(
        self, request: web.Request, visitor: ConsoleVisitor, name: str
    ) -> web.StreamResponse:
        has_token = visitor.by == "token"
        if (why_not := why_not_change(request.headers, has_token=has_token)) is not None:
            return self._failed(request, visitor, 403, why_not)
        if not visitor.is_operator:
            return self._failed(request, visitor, 403, _NO_OPERATOR)
        fields = await fields_of_request(request)
        question = PageQuestion(self._settings, fields, self._looks)
        answer = await self._changes.run(name, question, visitor)
        if _is_api(request):
            return json_response(answer)
        result = ChangeResult(action=name, fields=fields, answer=answer)
        # So a page that is loaded again changes nothing again.
        place = f"{PATH}done/{self._results.keep(result, now=time.time())}"
        return web.Response(status=303, headers={"Location": place})

    def _show_result(
        self, request: web.Request, visitor: ConsoleVisitor, name: str
    ) -> web.Response:
        """What became of a change, to whoever may look."""
        result = self._results.find(name, now=time.time())
        if result is None:
            return self._failed(request, visitor, 404, _NOT_HERE)
        values = {"answer": result.answer, "fields": result.fields, "action": result.action}
        return self._page(request, "acted.j2", visitor, values | {"page": "acted"})

    async def _change_session(self, request: web.Request, place: str) -> web.Response:
        """Let a browser in whose token is right, or forget it."""
        if (why_not := why_not_change(request.headers, has_token=False)) is not None:
            return json_response({"error": why_not}, status=403)
        response = web.Response(status=303, headers={"Location": PATH})
        if place == "logout":
            without_session(response)
            return response
        try:
            fields = await fields_of_request(request)
        except BadQuestion as error:
            return json_response({"error": str(error)}, status=400)
        session = self._rules.session(
            fields.get("token", ""), fields.get("name", ""), now=time.time()
        )
        if session is None:
            await self._refused.refuse(request)
            return self._login(request, is_wrong=True)
        value, age_s = session
        log.info("logged in at the console", by=fields.get("name", ""), address=request.remote)
        is_secure = request.headers.get("Origin", "").startswith("https:")
        with_session(response, value, age_s, is_secure=is_secure)
        return response

    async def _not_let_in(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            await self._refused.refuse(request)
        if _is_api(request):
            response = json_response({"error": "a token is needed"}, status=401)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        return self._login(request, is_wrong=False)

    def _login(self, request: web.Request, *, is_wrong: bool) -> web.Response:
        values = {"is_wrong": is_wrong, "has_tokens": self._rules.has_tokens, "page": "login"}
        status = 401 if self._rules.has_tokens else 403
        return self._page(request, "login.j2", None, values, status=status)

    def _failed(
        self, request: web.Request, visitor: ConsoleVisitor, status: int, why: str
    ) -> web.Response:
        if _is_api(request):
            return json_response({"error": why}, status=status)
        values = {"why": why, "page": "failed"}
        return self._page(request, "failed.j2", visitor, values, status=status)

    def _page(
        self,
        request: web.Request,
        template: str,
        visitor: ConsoleVisitor | None,
        values: Mapping[str, Any],
        *,
        status: int = 200,
    ) -> web.Response:
        chosen = request.query.get(_LANGUAGE_FIELD) or request.cookies.get(LANGUAGE_COOKIE)
        language = language_for(chosen, request.headers.get("Accept-Language", ""))
        common = {
            "visitor": visitor,
            "pages": list(PAGES),
            "may_be_changed": self._rules.may_be_changed,
        }
        html = self._renderer.rendered(template, language, common | dict(values))
        response = html_response(html, status=status)
        if _LANGUAGE_FIELD in request.query:
            response.set_cookie(LANGUAGE_COOKIE, language, path=PATH, samesite="Strict")
        return response


def _is_api(request: web.Request) -> bool:
    return request.match_info["place"].startswith("api/")


def _told(error: BaseException) -> str:
    return " ".join(predicate(error).split())
