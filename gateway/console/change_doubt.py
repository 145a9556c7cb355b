"""Tells a change of which nobody knows from one that Redis has refused, or was never asked for."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.redis_access.redis_faults import FAILURES, RedisFault, fault_of, predicate

__all__ = ["ChangeInDoubt", "in_doubt", "may_be_done"]


class ChangeInDoubt(Exception):
    """Redis was asked for a change, and its answer is lost; the message says so."""


@contextmanager
def in_doubt() -> Iterator[None]:
    """Raise ChangeInDoubt if Redis goes away within; what it refuses stays the error that it is."""
    try:
        yield
    except FAILURES as error:
        if fault_of(error) is not RedisFault.AWAY:
            raise
        raise ChangeInDoubt(may_be_done(f"Redis {' '.join(predicate(error).split())}")) from error


def may_be_done(why: str) -> str:
    """Why the answer is lost, and what that means."""
    return f"{why}; what was asked for last may be done all the same, unrecorded: look at it first"
