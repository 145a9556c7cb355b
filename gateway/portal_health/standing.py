"""Says how a portal stands, and what of it somebody has to mend. Pure.

Times are in Unix seconds.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.bitrix24.tokens import REFRESH_LIFE_S
from gateway.contract import PortalData, Trouble, timestamps

__all__ = [
    "MISSED_DAYS",
    "AccessKind",
    "Answers",
    "Cause",
    "Heard",
    "PortalFault",
    "PortalStanding",
    "faults_of",
    "some_of",
]

AccessKind: TypeAlias = Literal["application", "webhook", "none"]
"""By what a portal is called."""

Cause: TypeAlias = Literal[
    "certificate", "gone", "grant", "limit", "moved", "name", "other", "plan", "redis", "right"
]
"""Why a portal answers no call, where somebody can do something about just that."""

MISSED_DAYS: Final = 7
"""Over how many days missed events are counted."""
_SHOWN: Final = 8
# A portal may have some two hundred events bound.
_QUEUE_PATIENCE_S: Final = 3600.0
# Longer than it takes to look at a queue, and to wait for what may still arrive.


_REMEDIES: Final[dict[Cause, str]] = {
    "certificate": "let the environment variable SSL_CERT_FILE name a file with the certificate of "
    "the portal's authority, for every process that calls it; or mend the portal's certificate",
    "gone": "if it is gone for good, take it out: `gateway portals remove`, or [[portals]]",
    "limit": "let the other integrations that share the portal's limits ask less; it passes",
    "moved": "open the application in the portal once, so that its new address is learnt",
    "name": "see that this machine's DNS knows the portal's name, and that the name is right",
    "plan": "renew the portal's plan or subscription, or choose one with REST",
    "redis": "see that Redis runs: the gateway keeps tokens and limits there",
    "right": "let an administrator install the application again: this user lacks the right",
}
_WEBHOOK_REMEDIES: Final[dict[Cause, str]] = {
    "moved": "put the portal's new address into [[portals]] rest_webhook",
    "right": "let a user with the right make a new inbound webhook for [[portals]] rest_webhook",
}


class PortalFault(Struct, frozen=True):
    """What is wrong, and what an operator does about it."""

    what: str
    remedy: str


class Answers(Struct, frozen=True, kw_only=True):
    """What a portal answered; what it was not asked is None.

    `refusal` is why it answers no call, `cause` what kind of reason that is, and `is_down` whether
    it may pass by itself. Of the application it says whether it `is_installed` and `is_paid`.
    `scope` are the rights that the application, or the inbound webhook, has; `missing` events are
    not bound; `extra` ones are, and nobody takes them; `elsewhere` are other handlers that are told
    of the same ones.
    `queue` counts what waits in the queue of offline events, the oldest since `waiting_since`;
    `no_queue` is why there is none.
    """

    refusal: str | None = None
    is_down: bool = False
    cause: Cause = "other"
    is_installed: bool = True
    is_paid: bool = True
    scope: tuple[str, ...] | None = None
    bound: int | None = None
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    queue: int | None = None
    waiting_since: float | None = None
    no_queue: str | None = None


class Heard(Struct, frozen=True, kw_only=True):
    """What was received. `usual_per_hour` is for the present hour of the week, `listened_s` for how
    long that was learnt, `missed` are the events that were found afterwards, in the last
    `MISSED_DAYS`. `doubling` are handlers through which the same changes came.
    """

    last_event_at: float | None = None
    usual_per_hour: float | None = None
    listened_s: float = 0.0
    missed: int = 0
    quarantined: int = 0
    doubling: tuple[int, ...] = ()


class PortalStanding(Struct, frozen=True, kw_only=True):
    """All that is known of a portal.

    `tokens` counts the application tokens it may send with. `application` is the id of the one it
    has installed, `server` the root of the authorization server that knows it. `has_handler` is
    whether the settings say where to. `renewed_at` is when its refresh token was issued,
    `erase_since` since when its data are to be erased. `troubles` are those that were told.
    `lacking` are rights that it does not have, with the events that need each: to be bound, or for
    their objects to be fetched by the inbound webhook.
    """

    member_id: str
    domain: str
    endpoint: str
    tokens: int
    access: AccessKind
    application: str | None = None
    server: str | None = None
    has_handler: bool
    renewed_at: float | None
    erase_since: float | None
    answers: Answers
    heard: Heard
    troubles: dict[Trouble, PortalData]
    lacking: dict[str, tuple[str, ...]] = {}


def faults_of(one: PortalStanding, *, now: float, warn_token_s: float) -> list[PortalFault]:
    """What is to be mended, causes before what follows from them.

    `warn_token_s` is how long before the end of a refresh token that is worth a warning.
    """
    return [
        *_of_access(one),
        *_of_grant(one, now=now, warn_token_s=warn_token_s),
        *_of_rights(one),
        *_of_bindings(one),
        *_of_events(one, now=now),
    ]


def _of_access(one: PortalStanding) -> Iterator[PortalFault]:
    answers = one.answers
    if one.erase_since is not None:
        to_erase_since = timestamps.seconds(one.erase_since)
        yield PortalFault(
            f"it was uninstalled, and its data are to be erased, since {to_erase_since}",
            f"erase them everywhere, as by `consumers warehouse erase --portal {one.member_id}`; "
            f"then say so, which erases the rest: `gateway portals erased {one.member_id}`",
        )
    if answers.refusal is not None:
        yield PortalFault(f"the portal {_refuses(one)}: {answers.refusal}", _remedy_of_refusal(one))
    if not answers.is_installed:
        yield PortalFault(
            "the installation is not finished, so the portal sends nothing",
            "let an administrator open the application in the portal once",
        )
    if not answers.is_paid:
        yield PortalFault(
            "the application's or the portal's subscription has ended, so the portal sends nothing",
            "renew the subscription in the portal",
        )


def _refuses(one: PortalStanding) -> str:
    return "does not answer" if one.answers.is_down else "refuses the gateway"


def _remedy_of_refusal(one: PortalStanding) -> str:
    is_webhook, cause = one.access == "webhook", one.answers.cause
    by_cause = _WEBHOOK_REMEDIES.get(cause) if is_webhook else None
    if (remedy := by_cause or _REMEDIES.get(cause)) is not None:
        return remedy
    if one.answers.is_down:
        return "try again later"
    if is_webhook:
        return "make a new inbound webhook, and put it into [[portals]] rest_webhook"
    return "install the application in the portal again"


def _of_grant(one: PortalStanding, *, now: float, warn_token_s: float) -> Iterator[PortalFault]:
    if one.renewed_at is None:
        return
    left_s = one.renewed_at + REFRESH_LIFE_S - now
    if left_s <= warn_token_s:
        yield PortalFault(
            f"the refresh token ends in {max(0.0, left_s) / 86400:.0f} days, and was not renewed",
            "see that `gateway reconcile` runs, or install the application in the portal again",
        )


def _of_rights(one: PortalStanding) -> Iterator[PortalFault]:
    for right, events in one.lacking.items():
        if one.access == "webhook":
            yield PortalFault(
                f"the inbound webhook has no right `{right}`, so what these are about cannot be "
                f"fetched: {some_of(events)}",
                "tick this right at the webhook in the portal",
            )
        else:
            yield PortalFault(
                f"the application has no right `{right}`, so these cannot be bound: "
                f"{some_of(events)}",
                "tick this right for the application in the portal, and install it again; "
                "or take these events out of [[events]]",
            )


def _of_bindings(one: PortalStanding) -> Iterator[PortalFault]:
    if one.access != "application":
        return
    if not one.has_handler:
        yield PortalFault(
            "nobody says where the portal is to deliver to",
            "set [bitrix24] public_url",
        )
        return
    without_right = {name for names in one.lacking.values() for name in names}
    missing = [name for name in one.answers.missing if name not in without_right]
    if missing:
        yield PortalFault(
            f"not bound: {some_of(missing)}",
            "see that `gateway reconcile` runs: it binds them at its next look",
        )


def some_of(names: Sequence[str]) -> str:
    """The first of these, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _of_events(one: PortalStanding, *, now: float) -> Iterator[PortalFault]:
    since = one.answers.waiting_since
    if since is not None and now - since > _QUEUE_PATIENCE_S:
        waiting_since = timestamps.seconds(since)
        yield PortalFault(
            f"{one.answers.queue} changes wait in the portal's queue, since {waiting_since}",
            "see that `gateway reconcile` runs, and read its log",
        )
    if "silent" in one.troubles:
        yield PortalFault(
            f"silent since {one.troubles['silent'].since}",
            "try the way: `gateway portals canary`"
            if one.access == "application"
            else "change a comment in the portal, and watch `gateway tail`",
        )
    if one.heard.quarantined:
        yield PortalFault(
            f"{one.heard.quarantined} deliveries came with a token that is not registered",
            "look at them: `gateway portals quarantine list`",
        )

    if one.heard.doubling:
        handlers = ", ".join(map(str, one.heard.doubling))
        yield PortalFault(
            f"it delivers changes more than once (event_handler_id {handlers})",
            "delete one of them in the portal: an application and an outbound webhook, or two "
            "webhooks, lead to this gateway",
        )
