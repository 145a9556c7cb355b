"""What a service declares: its group, the stream it reads, and its handlers. Does no I/O."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, Literal, TypeVar

from consumers.runtime.dead_letter_limit import DeadLetterLimit
from consumers.runtime.entry import Entry, Event, Partition
from consumers.runtime.handler_table import BatchHandler, EventHandler, Handler, HandlerTable
from consumers.runtime.handlers import (
    BatchFunction,
    EventFunction,
    InvalidHandler,
    of_entry,
    refuse_unfit,
)
from consumers.runtime.retry_schedule import RetrySchedule
from consumers.runtime.transforms import Result, TransformHandler
from gateway.backoff import Backoff

__all__ = ["Consumer"]

_OnEvent = TypeVar("_OnEvent", bound=EventFunction)
_OnBatch = TypeVar("_OnBatch", bound=BatchFunction)
_Transform = TypeVar("_Transform", bound=Callable[[Sequence[Entry]], Awaitable[Sequence[Result]]])
_BACKOFF: Final = Backoff()
_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


_MIXTURE: Final = "a consumer has either handlers of events, or one of batches, or transforms"


class Consumer:
    """A group's name, the stream it reads and the handlers of its events.

    `group` belongs to one consumer: its processes share the partitions of `stream`. `output` is
    the stream that handlers of `transform` write to, each partition to its own one. `start` says
    where a group that does not exist yet begins: at the `beginning` of the stream, or `now`.
    `lifespan` makes the context that is entered before the first read and left after the last
    acknowledgement; `partition_lifespan` makes one for each partition that the process owns,
    entered before the first of its entries is handled and left before another process may own it.

    Entries are handled in order for each comment, and for up to `concurrency` comments of a
    partition at a time. `transient` are exceptions that count as `Transient`. After `max_attempts`
    calls that raised anything else the entry becomes a dead letter. `backoff` says how long to
    wait between calls, and for how long the partition pauses when everything fails transiently.
    With `retries` these say when an entry is tried again, and given up, instead of `max_attempts`;
    given up it is at once, too, if entries that wait for that are half of `max_in_hand`.
    More dead letters than `dead_letter_limit` stop the consumer.

    Only events that `takes` says yes to are handled; it is asked for each, and is to be quick.
    About `max_in_hand` entries of a partition are read ahead of what is handled.

    `why_not_ready` is asked by the probe `/readyz`: None while the service can do its work, else
    the reason in a line. It is called on the event loop, and answers from what it knows already.

    A process knows what it has handled a moment ago, should the server deliver it again, as one
    does that has taken over without the acknowledgement. With `has_effects_in_redis`, where
    handlers keep what they do on that very server, it is handled again: the effect is gone, too.

    An entry that five processes ended with becomes a dead letter, too. Without `buries_crashed` it
    is tried again by each process that follows, before all others and alone, however many it ends.
    """

    def __init__(
        self,
        *,
        group: str,
        stream: str,
        output: str | None = None,
        start: Literal["beginning", "now"] = "beginning",
        concurrency: int = 64,
        max_attempts: int = 5,
        buries_crashed: bool = True,
        transient: tuple[type[Exception], ...] = (),
        backoff: Backoff = _BACKOFF,
        retries: RetrySchedule | None = None,
        takes: Callable[[Event], bool] | None = None,
        max_in_hand: int = 1000,
        has_effects_in_redis: bool = False,
        dead_letter_limit: DeadLetterLimit | None = None,
        lifespan: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
        partition_lifespan: Callable[
            [Partition], AbstractAsyncContextManager[object]
        ] = nullcontext,
        why_not_ready: Callable[[], str | None] = lambda: None,
    ) -> None:
        if not _GROUP.fullmatch(group):
            raise ValueError(f"group {group!r}: letters, digits, `.`, `_` and `-`, at most 64")
        if start not in {"beginning", "now"}:
            raise ValueError(f"start {start!r}: `beginning` or `now`")
        if output == stream:
            raise ValueError(f"output {output!r}: another stream than the one that is read")
        if concurrency < 1 or max_attempts < 1:
            raise ValueError("concurrency and max_attempts are at least 1")
        self.group = group
        self.stream = stream
        self.output = output
        self.start = start
        self.concurrency = concurrency
        self.max_attempts = max_attempts
        self.buries_crashed = buries_crashed
        self.transient = transient
        self.backoff = backoff
        self.retries = retries
        self.takes = takes
        self.max_in_hand = max_in_hand
        self.has_effects_in_redis = has_effects_in_redis
        self.dead_letter_limit = dead_letter_limit or DeadLetterLimit()
        self.lifespan = lifespan
        self.partition_lifespan = partition_lifespan
        self.why_not_ready = why_not_ready
        self.batch_handler: BatchHandler | None = None
        self._handlers = HandlerTable()

    def on(self, pattern: str) -> Callable[[_OnEvent], _OnEvent]:
        """Handle each event whose type matches `pattern` (as a shell matches file names).

        The function takes the event, or the event and its Entry. The first matching one in the
        order of declaration is called; entries that none matches are acknowledged and counted.
        Raises InvalidHandler for a function that can be no handler.
        """
        _refuse_function(pattern, "@app.on")

        def register(function: _OnEvent) -> _OnEvent:
            refuse_unfit(function, decorator="@app.on", takes_entries=False)
            self._refuse_mixture(EventHandler)
            self._handlers.add(pattern, EventHandler(of_entry(function)))
            return function

        return register

    def on_batch(
        self,
        pattern: str,
        *,
        max_events: int = 1000,
        max_wait_s: float = 1.0,
        max_bytes: int = 16 << 20,
        across_partitions: bool = False,
    ) -> Callable[[_OnBatch], _OnBatch]:
        """Handle the events whose type matches `pattern` in batches, one batch at a time.

        The function takes a sequence of entries of one partition, in their order. All of them are
        acknowledged when it returns. A batch ends with the entry that brings its JSON to
        `max_bytes`; about one and a half times that is in memory for each partition.

        With `across_partitions` a batch has entries of all partitions of this process, and each
        partition's are acknowledged by themselves. It may go on when another process has taken one.
        """
        _refuse_function(pattern, "@app.on_batch")

        def register(function: _OnBatch) -> _OnBatch:
            refuse_unfit(function, decorator="@app.on_batch", takes_entries=True)
            self._refuse_mixture(BatchHandler)
            if self.batch_handler is not None:
                raise ValueError(_MIXTURE)
            if max_events < 1 or max_bytes < 1 or max_wait_s < 0:
                raise ValueError(
                    "max_events and max_bytes are at least 1, and max_wait_s not negative"
                )
            limits = max_events, max_wait_s, max_bytes, across_partitions
            self.batch_handler = BatchHandler(function, *limits)
            self._handlers.add(pattern, self.batch_handler)
            return function

        return register

    def transform(
        self,
        pattern: str,
        *more_patterns: str,
        together: Literal["source", "type"] | None = None,
        max_subjects: int = 1,
        max_wait_s: float = 0.0,
        spacing_s: float = 0.0,
        max_batches: int = 1,
    ) -> Callable[[_Transform], _Transform]:
        """Turn the events whose type matches a pattern into entries of `output`.

        The function takes a sequence of entries of one partition and returns a sequence as long:
        for each an Output, or an exception. What an entry became is written and the entry is
        acknowledged in one step of the server, once however often that step has to be repeated.

        Entries of one subject come in order. Those of up to `max_subjects` subjects with the same
        attribute `together` come in one call, all of them that are there; TransformHandler says
        when. Without `together` each subject is by itself.
        """
        _refuse_function(pattern, "@app.transform")

        def register(function: _Transform) -> _Transform:
            refuse_unfit(function, decorator="@app.transform", takes_entries=True)
            self._refuse_mixture(TransformHandler)
            if max_subjects < 1 or max_batches < 1 or max_wait_s < 0 or spacing_s < 0:
                raise ValueError("counts are at least 1, and times not negative")
            limits = max_subjects, max_wait_s, spacing_s, max_batches
            handler = TransformHandler(function, together, *limits)
            for one in (pattern, *more_patterns):
                self._handlers.add(one, handler)
            return function

        return register

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of the handlers, in the order of their declaration."""
        return self._handlers.patterns

    def transform_of(self, event_type: str) -> TransformHandler:
        """The handler of a type of which `handler_of` knows that there is one to transform it."""
        handler = self.handler_of(event_type)
        assert isinstance(handler, TransformHandler)  # noqa: S101 - others were not admitted
        return handler

    def handler_of(self, event_type: str) -> Handler | None:
        """The handler of an event type; None if no pattern matches."""
        return self._handlers.of(event_type)

    def wants(self, event: Event) -> bool:
        """Whether an event is handled; else it is acknowledged and counted."""
        if self.handler_of(event.type) is None:
            return False
        return self.takes is None or self.takes(event)

    def _refuse_mixture(self, kind: type[Handler]) -> None:
        if not self._handlers.is_only(kind):
            raise ValueError(_MIXTURE)
        if (self.output is not None) != (kind is TransformHandler):
            raise ValueError("a consumer has an output if it transforms, and only then")


def _refuse_function(pattern: object, decorator: str) -> None:
    """A decorator without parentheses is given the function instead of the pattern."""
    if not isinstance(pattern, str):
        raise InvalidHandler(
            f'write {decorator}("bitrix24.crm.timeline.comment.*"), with a pattern'
        )
