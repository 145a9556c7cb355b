"""Defines what a page is asked, what it answers with, and what it may ask of others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct, field
from redis.asyncio import Redis

from gateway.console.change_doubt import in_doubt
from gateway.console.installation_looks import InstallationLooks
from gateway.contract import EventSelection, Streams
from gateway.ops.answer_times import ANSWER_S, answered
from gateway.redis_access.redis_faults import FAILURES
from gateway.settings import Settings

__all__ = ["BadQuestion", "ConsolePage", "PageQuestion"]

T = TypeVar("T")

_LONGEST_REASON: Final = 300
_LOOKED_S: Final = 0.1
_LOOKED_LONGER_S: Final = 1.0


class BadQuestion(Exception):
    """A field cannot be understood; the message is for whoever filled it in."""


class PageQuestion(Struct, frozen=True):
    """What is asked: the fields of the query, blanks and empty ones left out.

    `settings` are those by which the console works. `looks` are shared by all who look.
    `stop` is set when the process stops: what takes long ends then, and says how far it came.
    """

    settings: Settings
    fields: Mapping[str, str]
    looks: InstallationLooks
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def streams(self) -> Streams:
        """The streams of the installation."""
        return self.settings.redis.streams

    @property
    def selection(self) -> EventSelection:
        """Which events are meant by the fields `portal`, `type`, `subject` and `event`."""
        return EventSelection(
            portal=self.fields.get("portal"),
            type=self.fields.get("type"),
            subject=self.fields.get("subject"),
            event_id=self.fields.get("event"),
        )

    @property
    def reason(self) -> str:
        """Why something is changed, in the operator's words, as far as these are short."""
        return self.fields.get("why", "")[:_LONGEST_REASON]

    @property
    def looked_s(self) -> float:
        """For how long is looked for what no index leads to; with the field `longer`, ten times.

        Raises BadQuestion.
        """
        return _LOOKED_LONGER_S if self.is_set("longer") else _LOOKED_S

    def required(self, name: str) -> str:
        """A field that must be there; raises BadQuestion."""
        if not (value := self.fields.get(name)):
            raise BadQuestion(f"{name} is missing")
        return value

    def is_set(self, name: str) -> bool:
        """A field that is `1`, or `0` or not there; raises BadQuestion for another one."""
        text = self.fields.get(name, "0")
        if text not in {"0", "1"}:
            raise BadQuestion(f"{name}: 1, or nothing")
        return text == "1"

    def number(self, name: str, default: int, *, most: int) -> int:
        """A field that is a number from 1 to `most`; raises BadQuestion."""
        text = self.fields.get(name, str(default))
        # Python refuses to read thousands of digits, by an error of its own.
        is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
        if not (is_short and 1 <= int(text) <= most):
            raise BadQuestion(f"{name}: a number from 1 to {most}")
        return int(text)

    async def ask(self, ask: Callable[[Redis], Awaitable[T]]) -> T:
        """What Redis says, within two seconds; raises one of connections.FAILURES."""
        return await answered(self.settings.redis, ask, within_s=ANSWER_S)

    async def change(self, change: Callable[[Redis], Awaitable[T]]) -> T:
        """The same of a change; raises ChangeInDoubt if the answer is lost, it may be done then."""
        has_begun = False

        async def begun(redis: Redis) -> T:
            nonlocal has_begun
            has_begun = True
            return await change(redis)

        try:
            return await self.ask(begun)
        except FAILURES:
            if not has_begun:
                raise
            with in_doubt():
                raise


class ConsolePage(Protocol):
    """A module that answers one kind of question; its template and its texts bear its name."""

    NAME: str

    async def load(self, question: PageQuestion) -> Any:
        """The answer, a Struct."""
        ...
