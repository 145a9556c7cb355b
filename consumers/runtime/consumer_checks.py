"""Whether a consumer, as it was declared, can handle anything: judged before it reads an entry.

What no handler matches is acknowledged, so a slip in the declaration would let a group pass over
everything in silence. No I/O.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from consumers.runtime.consumer import Consumer
from consumers.runtime.handler_table import matches
from gateway.contract import ENTITY_TYPE_ID, KNOWN_TYPES, TYPE_BEGINNINGS, may_be_published
from gateway.errors import OperatorError

__all__ = ["InvalidConsumer", "doubts", "refuse_idle"]

_TYPING_ERROR: Final = 0.95
"""So much of a type is right where it has a letter too many, too few, or a wrong one."""
_NUMBER: Final = re.compile(r"(?<=\.)[0-9]+(?=\.)")


class InvalidConsumer(OperatorError):
    """A consumer would acknowledge what it has not handled."""


def refuse_idle(consumer: Consumer) -> None:
    """Raise InvalidConsumer, with a line for each fault, if the consumer can handle nothing."""
    if not consumer.patterns:
        raise InvalidConsumer(
            f"the consumer {consumer.group} has no handler: it would acknowledge every event and "
            'handle none; declare one with @app.on("…") before the consumer is run'
        )
    faults = [
        f"no event is of the type {pattern!r}{_hint(pattern)}"
        for pattern in consumer.patterns
        if _is_slip(pattern)
    ]
    if faults:
        raise InvalidConsumer("\n".join(faults))


def doubts(consumer: Consumer) -> Iterable[str]:
    """Patterns that match nothing this version knows of, and may match what others publish."""
    return [pattern for pattern in consumer.patterns if not _is_known(pattern)]


def _is_known(pattern: str) -> bool:
    """Whether there are such types; that of a smart process has a number which a portal gives."""
    return matches(_NUMBER.sub(ENTITY_TYPE_ID, pattern), KNOWN_TYPES)


def _is_slip(pattern: str) -> bool:
    if _is_known(pattern):
        return False
    # All types of ours begin so; beyond these, only a type that nearly exists is surely a slip.
    is_nearly_known = bool(get_close_matches(pattern, KNOWN_TYPES, 1, _TYPING_ERROR))
    return is_nearly_known or not may_be_published(pattern)


def _hint(pattern: str) -> str:
    ending = f".{pattern}"
    meant = [known for known in KNOWN_TYPES if known.endswith(ending)]
    meant += get_close_matches(pattern, KNOWN_TYPES, 1, 0.6)
    return f"; did you mean {meant[0]!r}?" if meant else f"; they begin with {TYPE_BEGINNINGS[0]!r}"
