"""What arrived at each place, against what was told: what is missing, in what order, what twice."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.contract import Comment, CommentEvent, EntityEvent, Event, FetchedObject
from tests.integration.notifier.sinks import Received

__all__ = ["Ask", "by_subject", "doubles", "notified", "text_of", "warehoused"]

Ask = Callable[[str], list[tuple[Any, ...]]]


def text_of(event: Event) -> str:
    """What the portal said of a deal, a task or a comment, when it was asked."""
    if isinstance(event, CommentEvent):
        assert isinstance(event.data.comment, Comment)
        return str(event.data.comment.text)
    assert isinstance(event, EntityEvent)
    assert isinstance(event.data.object, FetchedObject)
    return str(event.data.object.fields["title"])


def by_subject(told: Iterable[Event], ids: Iterable[str]) -> dict[str, list[str]]:
    """The ids of each subject as they came, each where it came first."""
    subjects = {event.id: str(event.subject) for event in told}
    found = defaultdict(list)
    for event_id in dict.fromkeys(ids):
        found[subjects[event_id]].append(event_id)
    return found


def doubles(ids: Iterable[str]) -> set[str]:
    """What came more than once."""
    return {event_id for event_id, times in Counter(ids).items() if times > 1}


def warehoused(ask: Ask) -> dict[str, str]:
    """What the warehouse's rows say, by the event's id, of which there is one row each."""
    rows = ask(
        "SELECT event_id, comment_text FROM bitrix24.comment_events"
        " UNION ALL SELECT event_id, object::jsonb ->> 'title' FROM bitrix24.events"
        " WHERE subject_kind IN ('deal', 'task')"
    )
    assert not doubles(event_id for event_id, _text in rows)
    return dict(rows)


def notified(received: Iterable[Received], told: Sequence[Event]) -> dict[str, list[str]]:
    """The changes of each subject that somebody was notified of, in that order.

    Those that wait together are told of together, by the last of them, with their number.
    """
    order = by_subject(told, [event.id for event in told])
    subjects = {event_id: subject for subject, ids in order.items() for event_id in ids}
    found: dict[str, list[str]] = {}
    for one in received:
        event_id, count = one.body["title"].split()
        ids = order[subjects[event_id]]
        last = ids.index(event_id) + 1
        found.setdefault(subjects[event_id], []).extend(ids[last - int(count) : last])
    return found
