"""Says what an error of redis-py means: Redis is away, it refuses, or the mistake is ours.

redis-py has no such order of its own. Its errors have three roots, a rejected password is a
ConnectionError, and a slot on its way to another node ends in a ClusterError, which is neither a
ConnectionError nor a ResponseError. So each class stands in one table here, and a test walks the
whole tree: a new release of redis-py with a new error has to be judged before it is used.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Final

from redis import exceptions as theirs
from redis.asyncio import sentinel as asyncio_sentinel
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError
from redis.exceptions import ResponseError as _ResponseError

__all__ = [
    "AWAY",
    "AWAY_OR_REFUSING",
    "ERRORS_OF_REDIS_PY",
    "FAILURES",
    "RedisFault",
    "failures_as",
    "fault_of",
    "is_denied",
    "predicate",
]


class RedisFault(Enum):
    """Who has to do something about an error."""

    AWAY = "away"
    """Nobody: Redis cannot be reached, or is not able to now. The command may have been carried
    out; it is tried again."""
    REFUSING = "refusing"
    """The operator, mostly: the server answered no (no right, no memory, a wrong password)."""
    OURS = "ours"
    """A developer: the command or the way it was given is wrong, or the pool is too small."""


AWAY: Final = (
    theirs.ConnectionError,
    theirs.TimeoutError,
    theirs.ClusterError,
    theirs.RedisClusterException,
    theirs.InvalidResponse,
    theirs.AskError,
    theirs.TryAgainError,
    OSError,
)
"""For `except`: what a client raises while the server cannot be reached; the command may have been
carried out. By inheritance it catches some that are not (a rejected password, a full pool): whoever
waits tries those again too, and whoever tells of them asks `fault_of`."""

AWAY_OR_REFUSING: Final = (*AWAY, _ResponseError)
"""For `except`: whatever a server or the lack of one can do to a right command."""

ERRORS_OF_REDIS_PY: Final = (RedisError, theirs.RedisClusterException)
"""For `except` around more than commands to Redis: no OSError, which a file may have raised."""

FAILURES: Final = (*ERRORS_OF_REDIS_PY, OSError)
"""For `except`: all that a command to Redis can raise, mistakes of ours included."""

_FAULTS: Final[dict[type[BaseException], RedisFault]] = {
    OSError: RedisFault.AWAY,
    theirs.ConnectionError: RedisFault.AWAY,
    theirs.TimeoutError: RedisFault.AWAY,
    theirs.BusyLoadingError: RedisFault.AWAY,
    theirs.ExternalAuthProviderError: RedisFault.AWAY,
    theirs.InvalidResponse: RedisFault.AWAY,  # whoever answers there is no Redis, or not now
    theirs.RedisClusterException: RedisFault.AWAY,  # mostly "no reachable node"
    theirs.SlotNotCoveredError: RedisFault.AWAY,
    theirs.ClusterError: RedisFault.AWAY,
    theirs.ClusterDownError: RedisFault.AWAY,
    theirs.MasterDownError: RedisFault.AWAY,
    theirs.AskError: RedisFault.AWAY,  # a node says that another one has the key now
    theirs.MovedError: RedisFault.AWAY,
    theirs.TryAgainError: RedisFault.AWAY,
    asyncio_sentinel.MasterNotFoundError: RedisFault.AWAY,
    asyncio_sentinel.SlaveNotFoundError: RedisFault.AWAY,
    _ResponseError: RedisFault.REFUSING,
    theirs.AuthenticationError: RedisFault.REFUSING,
    theirs.AuthenticationWrongNumberOfArgsError: RedisFault.REFUSING,
    theirs.AuthorizationError: RedisFault.REFUSING,
    theirs.ExecAbortError: RedisFault.REFUSING,
    theirs.ModuleError: RedisFault.REFUSING,
    theirs.NoPermissionError: RedisFault.REFUSING,
    theirs.NoScriptError: RedisFault.REFUSING,
    theirs.OutOfMemoryError: RedisFault.REFUSING,
    theirs.ReadOnlyError: RedisFault.REFUSING,
    RedisError: RedisFault.OURS,
    theirs.ChildDeadlockedError: RedisFault.OURS,
    theirs.ClusterCrossSlotError: RedisFault.OURS,
    theirs.CrossSlotTransactionError: RedisFault.OURS,
    theirs.DataError: RedisFault.OURS,
    theirs.IncorrectPolicyType: RedisFault.OURS,
    theirs.InvalidPipelineStack: RedisFault.OURS,
    theirs.LockError: RedisFault.OURS,
    theirs.LockNotOwnedError: RedisFault.OURS,
    theirs.MaxConnectionsError: RedisFault.OURS,
    theirs.NoSuchFieldsetError: RedisFault.OURS,
    theirs.PubSubError: RedisFault.OURS,
    theirs.WatchError: RedisFault.OURS,
}

_DENIED_IN_SCRIPT: Final = re.compile(
    # Redis 7.2 and later, Valkey; then the two of Redis 7.0.
    r"ACL failure in script|The user executing the script can't (run|access)"
)

_CONNECTING: Final = re.compile(r"Error (-?\d+) connecting to (\S+)\. (.+?)\.?", re.DOTALL)
# As redis-py words it.


def fault_of(error: BaseException) -> RedisFault | None:
    """Whose fault an error is; None for what does not come from Redis or the way to it."""
    return next((_FAULTS[one] for one in type(error).__mro__ if one in _FAULTS), None)


@contextmanager
def failures_as(
    ours: Callable[[Exception], Exception],
    *,
    among: tuple[type[Exception], ...] = FAILURES,
) -> Iterator[None]:
    """Raise what `ours` makes of a failure of Redis, from it; what is not `among` them passes.

    Goes around commands to Redis alone, since an OSError is taken for theirs. Whoever goes on
    after a failure, and raises nothing, names one of the tuples above in an `except`.
    """
    try:
        yield
    except among as error:
        raise ours(error) from error


def is_denied(error: BaseException) -> bool:
    """Whether it takes an operator: the user is unknown, or lacks the right to a command or key.

    A right that is missing inside a script comes as a plain ResponseError, known by its text:
    https://github.com/redis/redis/blob/8.2/src/script.c
    """
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return True
    return isinstance(error, _ResponseError) and bool(_DENIED_IN_SCRIPT.search(str(error)))


def predicate(error: BaseException) -> str:
    """What Redis does, for a sentence that begins with where it is: `does not answer: …`."""
    if is_denied(error):
        return f"denies it: {error}"
    verb = "refuses it" if fault_of(error) is RedisFault.REFUSING else "does not answer"
    return f"{verb}: {_reason(error)}"


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    connecting = _CONNECTING.fullmatch(text)
    if connecting is None:
        return text
    number, where, why = connecting.groups()
    if why.startswith("Connect call failed"):  # as asyncio names all that a system can say
        why = os.strerror(int(number))
    return f"{why} ({where})"
