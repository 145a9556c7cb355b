"""Asks for objects so that one which a portal cannot read aloud costs only itself its fields.

A request may fail as a whole because of one object in it, as a comment: by an error of the
portal's own in one command, by a time that is too long for all of them, by an answer that is too
large. Nobody says which one it was, so it is looked for.

The law of the calls that this takes, for a request about n objects (50 at most) that failed:

* one that asks for next to nothing, to learn whether the portal answers at all. If it does not,
  that is all: the portal is away, and nothing is looked for;
* the objects in pieces of about √n: 8 of 7. If none of them is answered, that is all: it is no
  object's fault;
* the objects of the pieces that failed, one by one. Whose request fails even so is unreadable.

So one such object costs 16 calls, and every more of them 7 more at most; pieces rather than halves
because a call that fails may take a minute, and so there are two rounds of them and not six. None
of these calls is repeated by itself, a few go side by side, and all keep to the portal's limits.
"""

import asyncio
import math
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from consumers.enricher.fetching import Outcome, PortalAway, away_of, fetch
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.client import PortalClient

__all__ = ["SearchResult", "pieces_of", "search"]

_One = TypeVar("_One")
_AT_ONCE: Final = 4
_PATIENCE_S: Final = 10.0
"""After so long, those that are known go out, and the rest is asked for in another turn."""


class SearchResult(Struct):
    """What became of objects; those that are not in `outcomes` are to be asked for again at once.

    `apart` are those which a request failed with, to be asked for one by one from now on;
    `failures` says why, of those of them that are unreadable.
    """

    outcomes: dict[Wanted, Outcome]
    apart: set[Wanted]
    failures: dict[Wanted, str]


async def search(
    portal: PortalClient, wanted: Sequence[Wanted], *, apart: Collection[Wanted] = ()
) -> SearchResult | PortalAway:
    """What up to fifty objects look like; those `apart` are asked for by themselves.

    So are those of each method when one of the methods has used up the portal's time for it.

    PortalAway if the portal does not answer. Raises Transient while Redis is away.
    """
    began = time.monotonic()
    found = SearchResult({}, set(), {})
    together = [one for one in wanted if one not in apart]
    groups = [[one] for one in wanted if one in apart]
    failure: PortalAway | None = None
    if together:
        answer = await fetch(portal, together)
        if not isinstance(answer, PortalAway):
            found.outcomes |= answer
        elif answer.is_of_a_method:
            methods = _by_method(together)
            if len(methods) > 1:
                groups += methods
            else:
                found.outcomes |= dict.fromkeys(together, answer)
        elif not answer.may_be_an_object:
            return answer
        else:
            failure = answer
            groups += pieces_of(together)
    if groups and not found.outcomes and (away := await away_of(portal)) is not None:
        return away
    if len(failed := await _asked(portal, groups, found)) == len(groups) > 1:
        return failure or failed[0][1]
    rest = [[one] for group, _ in failed if len(group) > 1 for one in group]
    found.apart.update(one for (one,) in rest)
    if time.monotonic() - began < _PATIENCE_S:
        await _asked(portal, rest, found)
    return found


def pieces_of(wanted: Sequence[_One]) -> list[list[_One]]:
    """A request's objects in pieces whose size is about the number of them."""
    size = math.isqrt(len(wanted))
    return [list(wanted[first : first + size]) for first in range(0, len(wanted), size)]


def _by_method(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """The objects by the method that asks for them."""
    groups: dict[str, list[Wanted]] = {}
    for one in wanted:
        groups.setdefault(one.method.name, []).append(one)
    return list(groups.values())


async def _asked(
    portal: PortalClient, groups: Iterable[Sequence[Wanted]], found: SearchResult
) -> list[tuple[Sequence[Wanted], PortalAway]]:
    """Ask for each group by itself, and note what is known then; the groups that failed."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def asked(group: Sequence[Wanted]) -> tuple[Sequence[Wanted], PortalAway] | None:
        async with places:
            answer = await fetch(portal, group, is_repeatable=False)
        if not isinstance(answer, PortalAway):
            found.outcomes |= answer
            return None
        if not answer.may_be_an_object:
            found.outcomes |= dict.fromkeys(group, answer)
            return None
        if len(group) == 1:
            found.apart.update(group)
            found.failures[group[0]] = answer.why
            found.outcomes[group[0]] = group[0].unavailable("unreadable")
        return group, answer

    failed = await asyncio.gather(*map(asked, groups))
    return [one for one in failed if one is not None]
