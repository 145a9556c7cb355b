"""Each error of redis-py has been judged: Redis is away, it refuses, or the mistake is ours."""

import asyncio
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio.cluster
import redis.asyncio.sentinel
import redis.sentinel
from redis import exceptions

from gateway.redis_access.redis_faults import (
    _FAULTS,
    AWAY,
    AWAY_OR_REFUSING,
    ERRORS_OF_REDIS_PY,
    FAILURES,
    RedisFault,
    failures_as,
    fault_of,
    is_denied,
)

_ROOT = Path(__file__).parents[3]
_SYNCHRONOUS = {redis.sentinel.MasterNotFoundError, redis.sentinel.SlaveNotFoundError}
"""Of the client without asyncio, which nobody here uses; their base class judges them."""


def _and_below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__.startswith("redis."):
            yield from _and_below(below)


def _errors_of_redis_py() -> set[type[BaseException]]:
    roots = [
        one
        for one in vars(exceptions).values()
        if isinstance(one, type) and issubclass(one, BaseException)
    ]
    return {error for root in roots for error in _and_below(root)} - _SYNCHRONOUS


def test_each_error_of_redis_py_is_judged_by_itself_and_by_nothing_inherited() -> None:
    assert _errors_of_redis_py() == set(_FAULTS) - {OSError}


@pytest.mark.parametrize("kind", sorted(_errors_of_redis_py(), key=str))
def test_what_is_away_is_caught_as_away_and_a_refusal_as_one_or_the_other(
    kind: type[BaseException],
) -> None:
    match _FAULTS[kind]:
        case RedisFault.AWAY:
            assert issubclass(kind, AWAY)
        case RedisFault.REFUSING:
            assert issubclass(kind, AWAY_OR_REFUSING)
        case RedisFault.OURS:
            pass
    if kind not in {exceptions.ChildDeadlockedError, exceptions.IncorrectPolicyType}:
        assert issubclass(kind, FAILURES)


def test_a_slot_on_its_way_to_another_node_is_away() -> None:
    assert issubclass(exceptions.ClusterError, AWAY)
    assert fault_of(exceptions.ClusterError("TTL exhausted.")) is RedisFault.AWAY
    assert fault_of(exceptions.ClusterDownError("CLUSTERDOWN")) is RedisFault.AWAY


def test_a_rejected_password_and_a_full_pool_are_not_away() -> None:
    assert fault_of(exceptions.AuthenticationError("WRONGPASS")) is RedisFault.REFUSING
    assert fault_of(exceptions.MaxConnectionsError("Too many connections")) is RedisFault.OURS


def test_what_sockets_and_tls_raise_is_away_and_what_is_no_error_of_redis_is_nothing() -> None:
    assert fault_of(ConnectionResetError()) is RedisFault.AWAY
    assert fault_of(TimeoutError()) is RedisFault.AWAY
    assert fault_of(ssl.SSLError("WRONG_VERSION_NUMBER")) is RedisFault.AWAY
    assert fault_of(ValueError("no")) is None


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NoPermissionError("User x has no permissions to run the 'xack' command"),
        exceptions.AuthenticationError("invalid username-password pair or user is disabled."),
        exceptions.ResponseError(
            "ACL failure in script: User x has no permissions to run the 'xack' command"
        ),
        exceptions.ResponseError("The user executing the script can't run this command"),
    ],
)
def test_a_denial_is_known_inside_a_script_too(error: Exception) -> None:
    assert is_denied(error)


def test_other_refusals_are_no_denials() -> None:
    assert not is_denied(exceptions.OutOfMemoryError("command not allowed"))
    assert not is_denied(exceptions.ResponseError("MISCONF Errors writing to the AOF file"))


class Ours(Exception):
    """What a caller makes of a failure."""


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("refused"),
        exceptions.ClusterError("slot"),
        exceptions.RedisClusterException("no node"),
        exceptions.OutOfMemoryError("command not allowed"),
        exceptions.DataError("a dict"),
        TimeoutError(),
        ConnectionResetError(),
    ],
)
def test_a_failure_is_raised_as_ours_and_says_what_it_came_of(error: Exception) -> None:
    with pytest.raises(Ours, match="no tokens") as caught, failures_as(lambda _: Ours("no tokens")):
        raise error

    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), Ours("before")])
def test_what_is_no_failure_of_redis_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, failures_as(lambda _: Ours("no tokens")):
        raise error

    assert caught.value is error


def test_who_names_failures_gets_no_others() -> None:
    refusal = exceptions.OutOfMemoryError("command not allowed")

    with pytest.raises(exceptions.OutOfMemoryError), failures_as(lambda _: Ours(), among=AWAY):
        raise refusal
    with pytest.raises(Ours), failures_as(lambda _: Ours(), among=AWAY_OR_REFUSING):
        raise refusal


def test_errors_of_redis_py_are_all_failures_but_those_of_the_system() -> None:
    assert set(FAILURES) - set(ERRORS_OF_REDIS_PY) == {OSError}
    assert all(issubclass(one, FAILURES) for one in AWAY_OR_REFUSING)


def test_an_exception_of_redis_py_is_named_by_a_tuple_of_this_module_everywhere() -> None:
    """Callers name kinds of failures, not lists of classes of their own."""
    listed = re.compile(r"(except|suppress) ?\((?=[^)]*(RedisError|RedisClusterException))")
    found = [
        f"{path.name}: {line.strip()}"
        for package in ("gateway", "consumers")
        for path in (_ROOT / package).rglob("*.py")
        if path.parent.name != "redis_access"
        for line in path.read_text().splitlines()
        if listed.search(line)
    ]
    assert not found
