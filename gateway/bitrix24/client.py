"""Calls a portal's REST methods, within its limits and with valid tokens."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from msgspec import Struct

from gateway.bitrix24.access import Access, AccessGrant
from gateway.bitrix24.answers import Answer, answer_of, clock_of, without_keys
from gateway.bitrix24.batching import MAX_COMMANDS, Command, answers_of, parameters_of
from gateway.bitrix24.endpoints import method_url
from gateway.bitrix24.errors import (
    Bitrix24Error,
    Limited,
    MaybeDone,
    NotFound,
    OperationTimeLimit,
    PortalMoved,
    Refused,
    TokenRejected,
    TooManyRequests,
    Unavailable,
)
from gateway.bitrix24.limiter import Limiter
from gateway.bitrix24.request_retry import may_repeat, pause_s
from gateway.bitrix24.request_spans import request_span
from gateway.bitrix24.transport import Transport
from gateway.php_numbers import integer_of

__all__ = ["PortalClient"]

log: Any = structlog.get_logger(__name__)

_BATCH: Final = "batch"


class _Call(Struct):
    """A call under way: what is sent, until when, and what has come between so far.

    `methods` are all that it calls: its own, and those of a batch's commands. `failure` is what
    came of it last, if that was no answer.
    """

    method: str
    methods: frozenset[str]
    parameters: Mapping[str, Any]
    is_repeatable: bool
    until: float
    failure_count: int = 0
    refusal_count: int = 0
    failure: Unavailable | None = None


class PortalClient:
    """Calls one portal; any number of calls may be under way at once.

    A call waits for its place in the portal's limits, is sent again when a limit stopped it,
    once more with a new token when the old one was rejected, once more to the portal's new
    address if the authorization server knows it, and after other failures only if that does no
    harm. `call_timeout_s` is for all of that together: after it, nothing is sent any more. The
    request under way and a refresh of the tokens have their own time-outs. Cancelling a call is
    safe for the client; the portal may have carried it out.
    """

    def __init__(
        self,
        member_id: str,
        access: Access,
        *,
        transport: Transport,
        limiter: Limiter,
        call_timeout_s: float,
    ) -> None:
        self._member_id = member_id
        self._access = access
        self._transport = transport
        self._limiter = limiter
        self._call_timeout_s = call_timeout_s

    async def call(
        self,
        method: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        is_repeatable: bool = False,
        timeout_s: float | None = None,
    ) -> Answer:
        """The result of a method. Raises Bitrix24Error, ValueError for what is no method's name.

        `is_repeatable` says that carrying it out twice does no harm, as of a method that only
        reads; without it, a request whose answer is lost is not sent again. `timeout_s` is for this
        call in place of `call_timeout_s`: what would wait longer for its place is Limited at once.
        """
        call = self._started(
            method, parameters or {}, is_repeatable=is_repeatable, timeout_s=timeout_s
        )
        tree, _ = await self._carried_out(call)
        if "result" not in tree:
            raise MaybeDone("the answer has neither a result nor an error")
        return Answer(
            result=tree["result"],
            total=integer_of(tree.get("total"), least=0),
            next_start=integer_of(tree.get("next"), least=0),
            answered_at=clock_of(tree.get("time")),
        )

    async def batch(
        self,
        commands: Mapping[str, Command],
        *,
        is_repeatable: bool = False,
        timeout_s: float | None = None,
    ) -> dict[str, Answer | Bitrix24Error]:
        """What each of up to 50 commands came to, by its name: errors are returned, not raised.

        Raises Bitrix24Error if the batch as a whole failed, which is never a NotFound: that would
        be said of no command. Raises ValueError for more commands and for what is no method's name.
        Commands that a limit stopped are sent again, as long as there is time. `timeout_s` is for
        this batch, as for a call.
        """
        if len(commands) > MAX_COMMANDS:
            raise ValueError(f"{len(commands)} commands; a batch takes {MAX_COMMANDS}")
        found: dict[str, Answer | Bitrix24Error] = {}
        left = dict(commands)
        call = self._started(_BATCH, {}, is_repeatable=is_repeatable, timeout_s=timeout_s)
        while left:
            call.parameters = parameters_of(left)
            call.methods = frozenset({_BATCH, *(command.method for command in left.values())})
            try:
                refusals = {left[name].method: found[name] for name in left if name in found}
                await self._obey_all(refusals, call)
                tree, grant = await self._carried_out(call)
            except Limited:
                if not found:
                    raise
                break  # what was found stands, and what is left was told to come back later
            except NotFound as error:
                failure = Refused(str(error), code=error.code, description=error.description)
                if not found:
                    raise failure from error
                return found | dict.fromkeys(left, failure)
            except Bitrix24Error as error:
                if not found:
                    raise
                return found | dict.fromkeys(left, error)
            found |= answers_of(
                tree.get("result"), list(left), now=time.time(), secrets=grant.secrets
            )
            left = {name: left[name] for name in left if isinstance(found[name], Limited)}
        return {name: found[name] for name in commands}

    def _started(
        self,
        method: str,
        parameters: Mapping[str, Any],
        *,
        is_repeatable: bool,
        timeout_s: float | None = None,
    ) -> _Call:
        limit_s = self._call_timeout_s if timeout_s is None else timeout_s
        return _Call(
            method=method,
            methods=frozenset({method}),
            parameters=parameters,
            is_repeatable=is_repeatable,
            until=asyncio.get_running_loop().time() + limit_s,
        )

    async def _carried_out(self, call: _Call) -> tuple[dict[str, Any], AccessGrant]:
        """The answer's object, and what it was asked with."""
        grant = await self._access.grant()
        is_renewed = is_relocated = False
        while True:
            patience_s = max(0.0, _left_s(call))
            try:
                await self._limiter.wait(self._member_id, call.methods, patience_s=patience_s)
            except TooManyRequests as error:
                # There is no time left for another try: what failed is the reason, not the time.
                raise (call.failure or error) from None
            try:
                return await self._sent(call, grant), grant
            except TokenRejected:
                if is_renewed:
                    raise
                is_renewed = True
            except Limited as error:
                await self._obey_all({call.method: error}, call)
                continue
            except Unavailable as error:
                await self._pause(call, error)
                continue
            except PortalMoved:
                # What it names instead is a claim of whoever answers there.
                there = None if is_relocated else await self._access.relocated(grant)
                if there is None:
                    raise
                is_relocated, grant = True, there
                continue
            grant = await self._access.renewed(grant)

    async def _pause(self, call: _Call, error: Unavailable) -> None:
        """Wait until the call may be sent again; raises the error if it may not."""
        call.failure_count += 1
        call.failure = error
        wait_s = pause_s(call.failure_count)
        is_allowed = may_repeat(
            error, failures=call.failure_count, is_repeatable=call.is_repeatable
        )
        if not is_allowed or wait_s > _left_s(call):
            raise error
        await asyncio.sleep(wait_s)

    async def _sent(self, call: _Call, grant: AccessGrant) -> dict[str, Any]:
        auth = {"auth": grant.token} if grant.token else {}
        body = msgspec.json.encode(dict(call.parameters) | auth)
        url = method_url(grant.endpoint, call.method)
        about: dict[str, str | int | list[str]] = {
            "bitrix24.member_id": self._member_id,
            "bitrix24.methods": sorted(call.methods),
        }
        if call.failure_count:
            about["http.request.resend_count"] = call.failure_count
        with request_span("POST", url, f"/rest/{call.method}", about=about) as answered:
            reply = without_keys(answered(await self._transport.post(url, body)), grant.secrets)
            return answer_of(reply, now=time.time(), secrets=grant.secrets)

    async def _obey_all(self, refusals: Mapping[str, Any], call: _Call) -> None:
        """Let no process send what the portal would refuse; `refusals` are by method."""
        if not refusals:
            return
        call.refusal_count += 1
        for method, error in refusals.items():
            wait_s = error.retry_in_s
            if isinstance(error, OperationTimeLimit):
                await self._limiter.hold(self._member_id, method, pause_s=wait_s)
            else:
                wait_s = pause_s(call.refusal_count, first_s=wait_s)
                await self._limiter.fill(self._member_id, pause_s=wait_s)
            log.warning(
                "a portal's limit is reached",
                member_id=self._member_id,
                method=method,
                code=error.code,
                pause_s=round(wait_s, 3),
            )


def _left_s(call: _Call) -> float:
    return call.until - asyncio.get_running_loop().time()
