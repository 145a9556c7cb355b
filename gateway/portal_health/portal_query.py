"""Asks a portal about itself: whether it lets us in, what is bound, what waits; changes nothing.

https://apidocs.bitrix24.com/api-reference/common/system/app-info.html
https://apidocs.bitrix24.com/api-reference/common/system/scope.html
https://apidocs.bitrix24.com/api-reference/events/event-offline-list.html
"""

from collections.abc import Sequence
from typing import Any, Final

from gateway.bitrix24.answers import Answer, members_of
from gateway.bitrix24.batching import Command
from gateway.bitrix24.bindings import Binding, compare
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    Limited,
    NotInPlan,
    PortalGone,
    PortalMoved,
    StoreUnavailable,
    Unauthorized,
    UnknownName,
    Untrusted,
)
from gateway.contract import timestamps
from gateway.portal_health.checkup import is_refusal
from gateway.portal_health.standing import Answers, Cause

__all__ = ["ask_application", "ask_webhook", "refused"]

# In this order, since some are kinds of others.
_CAUSES: Final[Sequence[tuple[type[Bitrix24Error], Cause]]] = (
    (Untrusted, "certificate"),
    (UnknownName, "name"),
    (StoreUnavailable, "redis"),
    (Limited, "limit"),
    (PortalMoved, "moved"),
    (PortalGone, "gone"),
    (AccessDenied, "right"),
    (NotInPlan, "plan"),
    (Unauthorized, "grant"),
)
_PATIENCE_S: Final = 15.0
"""Somebody waits for the answer, and for those of all other portals: one that is at its limit is
told as limited, and not waited for."""

_NO: Final = frozenset({False, "0", "N", "n", "false"})


async def ask_application(portal: PortalClient, wanted: Sequence[Binding]) -> Answers:
    """Ask as the application, with one request; an error is part of the answers.

    Without anything `wanted`, nothing is said of what is bound.
    """
    connector = next((one.connector for one in wanted if one.connector), None)
    commands = {
        "app": Command("app.info"),
        "bound": Command("event.get"),
        "queue": Command("event.offline.list", {"auth_connector": connector}),
        "scope": Command("scope"),
    }
    try:
        found = await portal.batch(commands, is_repeatable=True, timeout_s=_PATIENCE_S)
    except Bitrix24Error as error:
        return refused(error)
    app, bound, queue = found["app"], found["bound"], found["queue"]
    if isinstance(bound, Bitrix24Error):
        return refused(bound)
    comparison = compare(wanted, bound.result)
    has_queue = isinstance(queue, Answer)
    missing = [one for one in comparison.missing if has_queue or not one.is_offline]
    info = members_of(app.result) if isinstance(app, Answer) else {}
    return Answers(
        is_installed=info.get("INSTALLED", True) not in _NO,
        is_paid=info.get("PAYMENT_EXPIRED", "N") in _NO,
        bound=len(comparison.present) if wanted else None,
        missing=tuple(map(str, missing)),
        extra=tuple(map(str, comparison.extra)),
        scope=_scope_of(found["scope"]),
        elsewhere=tuple(dict.fromkeys(one.handler for one in comparison.elsewhere)),
        queue=queue.total or 0 if isinstance(queue, Answer) else None,
        waiting_since=_oldest(queue.result) if isinstance(queue, Answer) else None,
        no_queue=str(queue) if isinstance(queue, Bitrix24Error) else None,
    )


async def ask_webhook(portal: PortalClient) -> Answers:
    """Ask by an inbound webhook, which may not ask for more than whose it is, and what it may."""
    commands = {"profile": Command("profile"), "scope": Command("scope")}
    try:
        found = await portal.batch(commands, is_repeatable=True, timeout_s=_PATIENCE_S)
    except Bitrix24Error as error:
        return refused(error)
    profile, scope = found["profile"], found["scope"]
    if isinstance(profile, Bitrix24Error):
        return refused(profile)
    return Answers(scope=_scope_of(scope))


def refused(error: Bitrix24Error) -> Answers:
    """What a portal answers that lets us do nothing."""
    return Answers(refusal=str(error), is_down=not is_refusal(error), cause=_cause_of(error))


def _cause_of(error: Bitrix24Error) -> Cause:
    return next((cause for kind, cause in _CAUSES if isinstance(error, kind)), "other")


def _scope_of(answer: Answer | Bitrix24Error) -> tuple[str, ...] | None:
    if isinstance(answer, Bitrix24Error):
        return None
    rights = tuple(one for one in members_of(answer.result).values() if isinstance(one, str))
    return rights or None


def _oldest(rows: Any) -> float | None:
    """When the first row came into the queue, if it says so, with its zone."""
    for row in members_of(rows).values():
        try:
            return timestamps.moment_of(str(members_of(row).get("TIMESTAMP_X"))).timestamp()
        except ValueError:
            return None
    return None
