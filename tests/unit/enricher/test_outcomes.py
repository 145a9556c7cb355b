"""What an answer of a portal means for the comment that was asked for, and for its events."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from consumers.enricher.enriching import enriched, remembered
from consumers.enricher.fetching import PortalAway, outcome_of, outcome_of_call
from consumers.enricher.refetch_queue import next_due_ms
from consumers.enricher.snapshots import CommentSnapshot
from consumers.enricher.wanted import Wanted
from consumers.testing import comment_event
from gateway.bitrix24 import errors
from gateway.bitrix24.answers import Answer
from gateway.bitrix24.fetch_methods import Fetched
from gateway.contract import Comment, encode_event

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ROW = {"ID": "999", "COMMENT": "[b]x[/b]", "AUTHOR_ID": "7", "ENTITY_TYPE": "deal", "ENTITY_ID": 2}


WANTED = Wanted.comment(999)


def outcome(answer: Answer | errors.Bitrix24Error) -> Fetched | PortalAway:
    return outcome_of(answer, WANTED, fetched_at=NOW)


def test_a_comment_is_present() -> None:
    comment = outcome(Answer(result=ROW))

    assert isinstance(comment, Comment)
    assert (comment.state, comment.text_plain, comment.author_id) == ("present", "x", 7)


def test_a_comment_that_is_not_found_is_deleted() -> None:
    found = outcome(errors.NotFound("not found"))

    assert found == Comment(state="deleted", fetched_at="2026-11-22T09:30:00.000Z")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.AccessDenied("no"), "access_denied"),
        (errors.NoCredentials("no"), "no_credentials"),
        (errors.Unauthorized("no"), "unauthorized"),
        (errors.TokenRejected("no"), "unauthorized"),
        (errors.NotInPlan("no"), "not_in_plan"),
        (errors.NoRest("no"), "not_in_plan"),
        (errors.PortalGone("no"), "portal_gone"),
        (errors.Refused("no"), "refused"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_waiting_does_not_mend_is_said_at_once(
    error: errors.Bitrix24Error, reason: str
) -> None:
    assert outcome(error) == Comment(state="unavailable", reason=reason)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (errors.Unavailable("away"), PortalAway("unreachable", why="away")),
        (errors.MaybeDone("away"), PortalAway("unreachable", why="away", may_be_an_object=True)),
        (errors.Untrusted("whose?"), PortalAway("unreachable", why="whose?")),
        (errors.UnknownName("where?"), PortalAway("unreachable", why="where?")),
        (
            errors.PortalMoved("new.example"),
            PortalAway("moved", why="the portal redirects to new.example"),
        ),
        (errors.TooManyRequests("full", retry_in_s=0.5), PortalAway("limited", 0.5, "full")),
        (
            errors.OperationTimeLimit("full", retry_in_s=300.0),
            PortalAway("limited", 300.0, "full", is_of_a_method=True),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_passes_is_waited_for(error: errors.Bitrix24Error, away: PortalAway) -> None:
    assert outcome(error) == away


OF_THE_CALL: dict[type[errors.Bitrix24Error], str] = {
    errors.Bitrix24Error: "refused",
    errors.Unavailable: "unreachable",
    errors.MaybeDone: "unreachable",
    errors.StoreUnavailable: "unreachable",
    errors.Untrusted: "unreachable",
    errors.UnknownName: "unreachable",
    errors.Limited: "limited",
    errors.TooManyRequests: "limited",
    errors.OperationTimeLimit: "limited",
    errors.Unauthorized: "unauthorized",
    errors.NoCredentials: "no_credentials",
    errors.TokenRejected: "unauthorized",
    errors.NotInPlan: "not_in_plan",
    errors.NoRest: "not_in_plan",
    errors.PortalMoved: "moved",
    errors.PortalGone: "portal_gone",
    errors.Refused: "refused",
    errors.NotFound: "refused",
    errors.AccessDenied: "access_denied",
}


def kinds_of(kind: type[errors.Bitrix24Error]) -> set[type[errors.Bitrix24Error]]:
    return {kind}.union(*map(kinds_of, kind.__subclasses__()))


def test_no_kind_of_error_is_missing_in_the_table() -> None:
    assert set(OF_THE_CALL) == kinds_of(errors.Bitrix24Error)


@pytest.mark.parametrize(("kind", "reason"), OF_THE_CALL.items(), ids=str)
def test_an_error_about_the_call_never_says_that_a_comment_is_gone(
    kind: type[errors.Bitrix24Error], reason: str
) -> None:
    more: dict[str, Any] = {"retry_in_s": 1.0} if issubclass(kind, errors.Limited) else {}
    found = outcome_of_call(kind("why", **more), WANTED)
    assert found.reason == reason
    assert isinstance(found, PortalAway) or found.state == "unavailable"


@pytest.mark.parametrize("result", [None, [], False, "x", {}, ROW | {"ID": "998"}])
def test_what_is_not_the_comment_is_unreadable(result: Any) -> None:
    assert outcome(Answer(result=result)) == Comment(state="unavailable", reason="unreadable")


def test_an_event_keeps_what_nobody_here_knows() -> None:
    raw = encode_event(comment_event(999))
    tree = msgspec.json.decode(raw)
    tree["later"] = {"than": ["this"]}
    tree["data"]["as"] = "well"

    result = msgspec.json.decode(enriched(msgspec.json.encode(tree), Comment(state="deleted")))

    assert result["data"].pop("comment")["state"] == "deleted"
    assert result == tree


def test_a_deleted_comment_has_what_was_last_known_of_it_but_no_text() -> None:
    snapshot = CommentSnapshot(
        member_id="m",
        comment_id=999,
        author_id=7,
        entity_type="deal",
        entity_id=2,
        created_at="2026-11-22T08:00:00Z",
        content_hash="h",
    )
    known: dict[str, Any] = {
        "author_id": 7,
        "entity_type": "deal",
        "entity_id": 2,
        "created_at": "2026-11-22T08:00:00Z",
    }
    present = Comment(state="present", text="new")

    assert remembered(Comment(state="deleted"), snapshot) == Comment(
        state="deleted", content_hash="h", **known
    )
    assert remembered(Comment(state="unavailable", reason="limited"), snapshot) == Comment(
        state="unavailable", reason="limited", **known
    )
    assert remembered(Comment(state="deleted"), None) == Comment(state="deleted")
    assert remembered(present, snapshot) is present


def test_distances_between_tries_grow_with_the_wait_up_to_a_quarter_of_an_hour() -> None:
    def pause_s(waited_s: float) -> float:
        return next_due_ms(round(waited_s * 1000), 0, first_ms=60_000) / 1000 - waited_s

    assert [pause_s(waited_s) for waited_s in (0, 60, 120, 1000, 100_000)] == [
        60,
        60,
        120,
        900,
        900,
    ]
    assert next_due_ms(0, 0, first_ms=3_600_000) == 3_600_000
