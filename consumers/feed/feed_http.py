"""Answers the requests of the feed: who asks, for what, and one way for each kind of answer."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

import structlog
from aiohttp import web

from consumers.feed import metrics
from consumers.feed.access_tokens import AccessTokens, TokenHolder
from consumers.feed.client_following import STREAM_PAGE, StreamFollowing, StreamTimes
from consumers.feed.cursor import CursorAhead, Cursors, ReadPlace, UnusableCursor
from consumers.feed.event_stream import cut_as_slow
from consumers.feed.fan_out import FanOut
from consumers.feed.feed_answers import gone_answer, json_answer, page_answer, refusal
from consumers.feed.feed_request import FeedRequest, Start
from consumers.feed.page_reading import EntriesLost, FeedPage, PageBounds, PageReader
from consumers.feed.requests_under_way import RequestsUnderWay, TooManyUnderWay
from consumers.feed.scope import OutsideScope, ScopeMatcher, UnusableFilter
from consumers.feed.stream_tail import StreamTail
from gateway.contract import timestamps
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.redis_faults import predicate
from gateway.web.protection.wrong_tokens import WrongTokens

__all__ = ["FeedHttp"]

log: Any = structlog.get_logger(__name__)

_EVENTS: Final = "/events"
_STREAM: Final = "/events/stream"
_CURSORS: Final = "/events/cursors"
_MEDIA_TYPE: Final = "text/event-stream"
_RETRY_AFTER: Final = {"Retry-After": "2"}
_AWAY: Final = "Redis is away: ask again with the same cursor"


class FeedHttp:
    """Answers one request after the other; `tail` has to run meanwhile, and `fan_out`."""

    def __init__(
        self,
        tokens: AccessTokens,
        *,
        cursors: Cursors,
        tail: StreamTail,
        pages: PageReader,
        fan_out: FanOut,
        times: StreamTimes,
        max_requests_per_token: int,
    ) -> None:
        self._tokens = tokens
        self._cursors = cursors
        self._tail = tail
        self._pages = pages
        self._fan_out = fan_out
        self._times = times
        self._under_way = RequestsUnderWay(max_requests_per_token)
        self._wrong = WrongTokens()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; a stream is answered until it ends."""
        answer = await self._answered(request)
        if not isinstance(answer, web.Response):
            return answer  # a stream, which was counted when it began
        metrics.REQUESTS.labels(str(answer.status)).inc()
        await self._sent(request, answer)
        return answer

    async def _sent(self, request: web.BaseRequest, answer: web.Response) -> None:
        """Send an answer; aiohttp itself would wait for ever for a client who does not read it."""
        try:
            async with asyncio.timeout(self._times.send_timeout_s):
                await answer.prepare(request)
                await answer.write_eof()
        except TimeoutError:
            cut_as_slow(request)
        except ConnectionError:
            log.debug("a client of the feed has gone away", address=request.remote)

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path not in {_EVENTS, _STREAM, _CURSORS}:
            return refusal(404, f"there is nothing here; there is {_EVENTS}")
        if request.method != "GET":
            return refusal(405, "only GET is answered", headers={"Allow": "GET"})
        holder = self._tokens.holder_of(request.headers.get("Authorization", ""))
        if holder is None:
            return await self._unknown(request)
        if not self._tail.is_connected:
            return refusal(503, _AWAY, headers=_RETRY_AFTER)
        try:
            if path == _CURSORS:
                return self._ends()
            asked = FeedRequest.of(
                request.query, request.headers, scope=holder.scope, cursors=self._cursors
            )
            with self._under_way.one_of(holder.name):
                if path == _STREAM or _MEDIA_TYPE in request.headers.get("Accept", ""):
                    return await self._stream(request, holder, asked)
                return await self._page(asked)
        except TooManyUnderWay as error:
            return refusal(429, str(error), headers=_RETRY_AFTER)
        except CursorAhead as error:
            return refusal(503, str(error), headers=_RETRY_AFTER)
        except (UnusableCursor, UnusableFilter) as error:
            return refusal(400, str(error))
        except OutsideScope as error:
            return refusal(403, str(error))
        except EntriesLost as lost:
            answer = gone_answer(lost.reason, self._cursors, lost.resume)
            return json_answer(answer, status=410)
        except FAILURES as error:
            log.debug("a page could not be read", error=" ".join(predicate(error).split()))
            return refusal(503, _AWAY, headers=_RETRY_AFTER)

    async def _unknown(self, request: web.BaseRequest) -> web.Response:
        """Refuse who has no token that is known, and slowly if it is a wrong one."""
        headers = {"WWW-Authenticate": 'Bearer realm="feed"'}
        metrics.WRONG_TOKENS.inc()
        if "Authorization" not in request.headers:
            return refusal(401, "a token is needed: Authorization: Bearer …", headers=headers)
        log.warning("a wrong token at the feed", address=request.remote)
        await asyncio.sleep(self._wrong.delay_s(request.remote, now=monotonic()))
        return refusal(401, "the token is none that is known here", headers=headers)

    async def _page(self, asked: FeedRequest) -> web.Response:
        """The next events; where there are none, those that come while it waits."""
        until = monotonic() + asked.wait_s
        matcher = ScopeMatcher(asked.scope)
        places = self._places(asked.start)
        while True:
            page = await self._read(places, matcher, asked)
            left_s = until - monotonic()
            if page.entries or page.is_more or left_s <= 0 or self._fan_out.is_stopping:
                break
            await self._fan_out.changed(asked.scope, within_s=left_s)
            places = page.places
        if not page.entries and not self._tail.is_connected:
            return refusal(503, _AWAY, headers=_RETRY_AFTER)
        metrics.SENT.labels("page").inc(len(page.entries))
        return page_answer(page, self._cursors, has_texts=asked.scope.has_texts)

    async def _stream(
        self, request: web.BaseRequest, holder: TokenHolder, asked: FeedRequest
    ) -> web.StreamResponse:
        """Events as they come. What cannot go on is told before the stream begins."""
        places = self._places(asked.start)
        page = await self._pages.read(
            places, ScopeMatcher(asked.scope), bounds=STREAM_PAGE, upto=tuple(self._fan_out.places)
        )
        following = StreamFollowing(
            asked.scope,
            cursors=self._cursors,
            pages=self._pages,
            fan_out=self._fan_out,
            times=self._times,
        )
        metrics.REQUESTS.labels("200").inc()
        metrics.STREAMS.labels(holder.name).inc()
        try:
            return await following.run(request, places, page)
        finally:
            metrics.STREAMS.labels(holder.name).dec()

    async def _read(
        self, places: Sequence[ReadPlace], matcher: ScopeMatcher, asked: FeedRequest
    ) -> FeedPage:
        """The next events of all that has come, also while it was read."""
        while True:
            upto = self._tail.known_places
            try:
                page = await self._pages.read(
                    places, matcher, bounds=PageBounds(asked.limit), upto=upto
                )
            except EntriesLost as lost:
                if asked.start != "oldest":
                    raise
                places = lost.resume  # what was the oldest has gone meanwhile
                continue
            if page.entries or page.is_more or upto == self._tail.known_places:
                return page
            places = page.places

    def _places(self, start: Start) -> tuple[ReadPlace, ...]:
        if isinstance(start, tuple):
            return start
        return tuple(self._fan_out.places if start == "newest" else self._tail.oldest)

    def _ends(self) -> web.Response:
        """From where to where there are entries, for who wants to know how long to be away."""
        oldest = self._tail.oldest
        since_ms = max((place.id.ms for place in oldest if place.id.ms), default=None)
        return json_answer(
            {
                "oldest": self._cursors.written(oldest),
                "oldest_time": None if since_ms is None else timestamps.milliseconds(since_ms),
                "newest": self._cursors.written(self._fan_out.places),
            }
        )
