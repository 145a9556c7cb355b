"""What is known of a comment follows from its events, in whatever order they come.

Each test asks the view for what it makes of the events, and for what was kept of that.
"""

import random
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from consumers.warehouse.database import Database
from consumers.warehouse.kept_states import KeptStates
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.straight_database import StraightDatabase
from gateway.contract import Comment, CommentEvent
from tests.integration.warehouse.loading import (
    START,
    StreamEntry,
    Target,
    entry,
    fetched,
    load,
)


@pytest.fixture(params=["made by the view", "kept"])
def target(
    shared: tuple[Target, Database], target: Target, request: pytest.FixtureRequest
) -> Target:
    if request.param != "kept":
        return target

    def ask(query: str) -> list[tuple[Any, ...]]:
        database = shared[1]
        assert isinstance(database, StraightDatabase)
        while KeptStates(database).refresh(least=1):
            pass
        assert target.ask("SELECT COUNT(*) FROM bitrix24.stale_comments") == [(0,)]
        return target.ask(query)

    return structs.replace(target, ask=ask)


COMMENT = (
    "SELECT is_deleted, deleted_at, deleted_by, last_action, text, events, entity_type, entity_id "
    "FROM bitrix24.comments"
)


def test_a_deletion_that_knows_no_text_hides_none_and_tells_whose_comment_it_was(
    warehouse: Warehouse, target: Target
) -> None:
    gone = Comment(state="deleted", author_id=3, entity_type="deal", entity_id=42)
    away = Comment(state="unavailable", reason="limited", author_id=3)
    load(
        warehouse,
        entry("updated", 1, at_s=0, comment=fetched("the text", at_s=1)),
        entry("updated", 1, at_s=10, comment=away),
        entry("deleted", 1, at_s=20, comment=gone),
        entry("deleted", 2, at_s=20, comment=gone),
        entry("deleted", 3, at_s=20, comment=Comment(state="deleted")),
    )

    assert target.ask(
        "SELECT comment_id, is_deleted, text, author_id, entity_id FROM bitrix24.comments "
        "ORDER BY comment_id"
    ) == [
        (1, True, "the text", 3, 42),
        (2, True, None, 3, 42),
        (3, True, None, None, None),
    ]


HISTORY = [
    entry("added", at_s=0, comment=fetched("first", at_s=1)),
    entry("updated", at_s=10, comment=fetched("second", at_s=12), user_id=8),
    # Fetched late: an older event that brings the newest text.
    entry("updated", at_s=20, comment=fetched("third", at_s=60)),
    entry("updated", at_s=30, comment=fetched("not yet third", at_s=31)),
    entry("deleted", at_s=100, user_id=9, comment=fetched("third", at_s=101, state="deleted")),
    # The binding of a webhook tells of the same deletion, without a user.
    entry("deleted", at_s=100.5, user_id=None),
    # Received after the deletion: sent before, and late.
    entry("updated", at_s=130, user_id=8),
]


@pytest.mark.parametrize("order", ["as it happened", "backwards", "shuffled", "one by one"])
def test_the_state_of_a_comment_does_not_depend_on_the_order_of_its_events(
    warehouse: Warehouse, target: Target, order: str
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    entries = list(HISTORY)
    if order == "backwards":
        entries.reverse()
    elif order == "shuffled":
        entries += HISTORY[2:4]
        random.Random(seed).shuffle(entries)
    batches: list[list[StreamEntry]] = (
        [[one] for one in reversed(entries[3:])] + [entries[:3]]
        if order == "one by one"
        else [entries]
    )
    for batch in batches:
        load(warehouse, *batch)

    (comment,) = target.dicts(COMMENT)
    assert comment == {
        "is_deleted": True,
        "deleted_at": START + timedelta(seconds=100),
        "deleted_by": 9,
        "last_action": "updated",
        "text": "third",
        "events": 7,
        "entity_type": "deal",
        "entity_id": 42,
    }


@pytest.fixture
def histories() -> dict[int, list[StreamEntry]]:
    """What can happen to a comment, by comment id."""
    return {
        1: [entry("added", 1), entry("updated", 1, at_s=1)],
        2: [entry("deleted", 2, at_s=5), entry("updated", 2, at_s=9)],
        3: [
            # Went with its deal: no deletion event, only a fetch that did not find it.
            entry("updated", 3, comment=fetched("was here", at_s=1)),
            entry("updated", 3, at_s=50, comment=fetched("was here", at_s=51, state="deleted")),
        ],
        4: [
            # Found long after: the deletion was taken back.
            entry("deleted", 4, at_s=10),
            entry("updated", 4, at_s=300, comment=fetched("restored", at_s=301)),
        ],
        5: [
            # Found within the difference of two clocks: still deleted.
            entry("deleted", 5, at_s=10),
            entry("updated", 5, at_s=2, comment=fetched("before", at_s=30)),
        ],
        6: [
            # The same millisecond: the order on the stream decides.
            entry("added", 6, at_s=7, entry_ms=9),
            entry("updated", 6, at_s=7, entry_ms=10),
        ],
    }


def test_what_is_known_of_a_comment_follows_from_its_events(
    warehouse: Warehouse, target: Target, histories: dict[int, list[StreamEntry]]
) -> None:
    load(warehouse, *(one for history in reversed(histories.values()) for one in history))

    found = target.ask(
        "SELECT comment_id, is_deleted, deleted_at, deleted_by, last_action, text "
        "FROM bitrix24.comments ORDER BY comment_id"
    )

    def at(seconds: float) -> object:
        return START + timedelta(seconds=seconds)

    assert found == [
        (1, False, None, None, "updated", None),
        (2, True, at(5), 7, "updated", None),
        (3, True, at(51), None, "updated", "was here"),
        (4, False, None, None, "updated", "restored"),
        (5, True, at(10), 7, "deleted", "before"),
        (6, False, None, None, "updated", None),
    ]


def test_a_comment_that_was_emptied_is_shown_empty(warehouse: Warehouse, target: Target) -> None:
    load(
        warehouse,
        entry("added", 1, at_s=0, comment=fetched("the old text", at_s=1)),
        entry("updated", 1, at_s=10, comment=fetched("", at_s=11)),
    )

    assert target.ask("SELECT text, text_plain FROM bitrix24.comments") == [("", "")]


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=3650)])
@pytest.mark.parametrize("whose", ["the gateway's", "every"])
def test_a_clock_that_was_ahead_hides_no_later_edit(
    warehouse: Warehouse, target: Target, ahead: timedelta, whose: str
) -> None:
    """What came meanwhile counts as of Bitrix24's clock, and of the order on the stream."""

    def early(number: int, at_s: float, text: str, *, order: int) -> StreamEntry:
        true = entry("updated", number, at_s=at_s, comment=fetched(text, at_s=at_s + 1))
        assert isinstance(true.event, CommentEvent)
        comment = true.event.data.comment
        assert isinstance(comment, Comment)
        wrong = START + timedelta(seconds=at_s) + ahead
        data = replace(true.event.data, comment=replace(comment, fetched_at=(wrong).isoformat()))
        # With its clock ahead as well, Redis gives ids of that time until the time has come.
        stands = wrong if whose == "every" else START + timedelta(seconds=at_s)
        return StreamEntry(
            replace(true.event, receivedat=wrong.isoformat(), data=data),
            f"{int(stands.timestamp() * 1000)}-{order}",
        )

    def right(number: int, at_s: float, text: str, *, order: int) -> StreamEntry:
        true = entry("updated", number, at_s=at_s, comment=fetched(text, at_s=at_s + 1))
        after = START + timedelta(seconds=1) + (ahead if whose == "every" else timedelta(0))
        stands = max(START + timedelta(seconds=at_s), after)
        return StreamEntry(true.event, f"{int(stands.timestamp() * 1000)}-{order}")

    first = early(1, 1, "while it was ahead", order=1)
    second = right(1, 60, "after it was put right", order=2)
    load(warehouse, first)
    load(warehouse, second, early(2, 1, "nothing followed", order=3))

    assert target.ask("SELECT text, last_event_id FROM bitrix24.comments ORDER BY comment_id")[
        0
    ] == ("after it was put right", second.event.id)
    shown = target.ask("SELECT text, last_event_at FROM bitrix24.comments WHERE comment_id = 2")
    assert shown == [("nothing followed", START + timedelta(seconds=1))]
