"""Describes what a transforming consumer declares, and what its handlers return. Does no I/O."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from consumers.runtime.entry import Entry, Event, HeldEntry
from gateway.contract import encode_event

__all__ = ["Output", "Result", "TransformHandler", "Write", "checked"]


class Write(Struct, frozen=True):
    """A command on one key, carried out in the step that acknowledges the entry.

    The key holds the entry's partition in braces, `{0}`: in a cluster it has to share a slot with
    the streams. The step may be carried out twice, so the command has to be one that may be:
    SET and HSET, not INCR.
    """

    command: str
    key: str
    arguments: tuple[str | bytes | int | float, ...] = ()


class Output(Struct, frozen=True):
    """What an entry becomes: these events, in this order, on the output stream, and these writes.

    No events at all are an entry that goes no further. An event given as bytes is passed on as it
    is. `is_replay` marks them as old ones of which nobody is to be told; what comes of a replayed
    entry is marked in any case.
    """

    events: tuple[Event | bytes, ...] = ()
    writes: tuple[Write, ...] = ()
    is_replay: bool = False


Result = Output | Exception
"""An exception in place of an output is what raising it would be, for this one entry."""


class TransformHandler(Struct, frozen=True, eq=False):
    """A function called for the entries of up to `max_subjects` subjects that belong together.

    Those do whose events have the same attribute `together`; without one, each subject is by
    itself. A batch starts when it is full, or when its first entry has waited for `max_wait_s` and
    the batch before it began `spacing_s` ago. Up to `max_batches` of what belongs together are
    under way at a time, never two with the same subject.
    """

    call: Callable[[Sequence[Entry]], Awaitable[Sequence[Result]]]
    together: Literal["source", "type"] | None = None
    max_subjects: int = 1
    max_wait_s: float = 0.0
    spacing_s: float = 0.0
    max_batches: int = 1

    def key(self, event: Event) -> str:
        """Equal for events that belong together."""
        if self.together is None:
            return event.source + event.subject
        return str(getattr(event, self.together))


def checked(batch: Sequence[HeldEntry], results: Sequence[Result]) -> list[Result]:
    """The results of a handler as they can be written, with their events encoded.

    Raises TypeError, ValueError or RecursionError for what a handler must not return: here it is
    the handler's failure, and later it would be one of the process.
    """
    if len(results) != len(batch):
        raise ValueError(f"{len(results)} results for {len(batch)} entries")
    return [
        _written(result, slot=f"{{{held.entry.partition}}}")
        if isinstance(result, Output)
        else _raised(result)
        for held, result in zip(batch, results, strict=True)
    ]


def _raised(result: object) -> Exception:
    if not isinstance(result, Exception):
        raise TypeError(f"{type(result).__name__} is neither an output nor an exception")
    return result


def _written(output: Output, *, slot: str) -> Output:
    for write in output.writes:
        if slot not in write.key:
            raise ValueError(f"{write.key} is no key of the partition: {slot} is not in it")
        for argument in (write.command, write.key, *write.arguments):
            _check_argument(argument)
    events = (one if isinstance(one, bytes) else encode_event(one) for one in output.events)
    return replace(output, events=tuple(events))


def _check_argument(argument: object) -> None:
    """Raise what redis-py would, which knows no bool and encodes text as UTF-8."""
    if isinstance(argument, str):
        argument.encode()
    elif isinstance(argument, bool) or not isinstance(argument, bytes | int | float):
        raise TypeError(f"{type(argument).__name__} is no argument of a command")
