import re
from collections.abc import Sequence
from functools import partial

import pytest

from consumers import CommentEvent, Consumer, Entry, Event, OtherEvent
from consumers.runtime.consumer_checks import InvalidConsumer, doubts, refuse_idle
from consumers.runtime.handlers import InvalidHandler
from gateway.contract import APP_INSTALLED, COMMENT_ADDED


def test_the_first_matching_handler_takes_an_event() -> None:
    app = Consumer(group="g", stream="events")

    @app.on("bitrix24.crm.timeline.comment.added")
    async def added(event: CommentEvent) -> None: ...

    @app.on("bitrix24.crm.*")
    async def other(event: CommentEvent, entry: Entry) -> None: ...

    first = app.handler_of(COMMENT_ADDED)
    second = app.handler_of("bitrix24.crm.deal.added")

    assert first is not None
    assert second is not None
    assert first is not second
    assert app.handler_of(APP_INSTALLED) is None


def test_a_handler_with_a_wrong_signature_is_refused_where_it_is_declared() -> None:
    app = Consumer(group="g", stream="events")

    with pytest.raises(InvalidHandler, match="nothing: @app.on gives the event"):

        @app.on("*")  # type: ignore[type-var]
        async def nothing() -> None: ...


def test_what_would_handle_nothing_is_refused_where_it_is_declared() -> None:
    """Type checkers see these, too, as the comments show."""
    app = Consumer(group="g", stream="events")

    with pytest.raises(InvalidHandler, match=r'write @app.on\("'):

        @app.on  # type: ignore[arg-type]
        async def without_parentheses(event: CommentEvent) -> None: ...

    with pytest.raises(InvalidHandler, match="not_async: write `async def`"):

        @app.on("*")  # type: ignore[type-var]
        def not_async(event: CommentEvent) -> None: ...

    with pytest.raises(InvalidHandler, match="swapped: @app.on gives the event"):

        @app.on("*")  # type: ignore[type-var]
        async def swapped(entry: Entry, event: CommentEvent) -> None: ...

    with pytest.raises(InvalidHandler, match="entry_only"):

        @app.on("*")  # type: ignore[type-var]
        async def entry_only(entry: Entry) -> None: ...

    with pytest.raises(InvalidHandler, match="a Sequence\\[Entry\\]"):

        @app.on_batch("*")  # type: ignore[type-var]
        async def of_events(events: Sequence[CommentEvent]) -> None: ...

    assert app.patterns == ()


def test_whatever_can_be_awaited_with_an_event_is_a_handler() -> None:
    app = Consumer(group="g", stream="events")

    class Indexer:
        async def __call__(self, event: CommentEvent) -> None: ...

        async def method(self, event: Event, entry: Entry, more: int = 1) -> None: ...

    async def with_more(more: int, event: CommentEvent | OtherEvent) -> None: ...

    app.on("a*")(Indexer())
    app.on("b*")(Indexer().method)
    app.on("c*")(partial(with_more, 1))
    app.on("d*")(unannotated)

    assert app.patterns == ("a*", "b*", "c*", "d*")


async def unannotated(event, entry):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """As somebody writes it who uses no type checker."""


def with_pattern(pattern: str) -> Consumer:
    app = Consumer(group="g", stream="events")

    @app.on(pattern)
    async def handle(event: Event) -> None: ...

    return app


@pytest.mark.parametrize(
    "pattern", ["*", "bitrix24.*", "*.added", "bitrix24.crm.deal.*", "gateway.data.erased"]
)
def test_a_pattern_that_can_match_something_is_none_to_refuse(pattern: str) -> None:
    refuse_idle(with_pattern(pattern))


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("comment.updated", "did you mean 'bitrix24.crm.timeline.comment.updated'"),
        ("bitrix24.crm.timeline.comment.update", "did you mean 'bitrix24.crm.timeline.comment.up"),
        ("onCrmTimelineCommentUpdate", "did you mean 'bitrix24.crm.timeline.comment.updated'"),
        ("deal", "they begin with 'bitrix24.'"),
    ],
)
def test_a_pattern_that_matches_nothing_is_refused_with_what_was_meant(
    pattern: str, hint: str
) -> None:
    with pytest.raises(InvalidConsumer, match=re.escape(hint)):
        refuse_idle(with_pattern(pattern))


def test_a_pattern_of_a_type_that_this_version_does_not_know_is_a_doubt() -> None:
    assert list(doubts(with_pattern("bitrix24.crm.rocket.*"))) == ["bitrix24.crm.rocket.*"]
    for known in ("bitrix24.app.*", "bitrix24.portal.*", "gateway.alert.*"):
        assert list(doubts(with_pattern(known))) == []


def test_a_smart_process_is_known_by_whatever_number_a_portal_gives_it() -> None:
    for known in ("bitrix24.crm.item.1036.updated", "bitrix24.crm.item.31.*"):
        assert list(doubts(with_pattern(known))) == []
        refuse_idle(with_pattern(known))
    unknown = "bitrix24.crm.item.1036.exploded"
    assert list(doubts(with_pattern(unknown))) == [unknown]


def test_a_consumer_without_a_handler_is_refused() -> None:
    with pytest.raises(InvalidConsumer, match="has no handler"):
        refuse_idle(Consumer(group="g", stream="events"))


def test_handlers_of_events_and_of_batches_do_not_mix() -> None:
    app = Consumer(group="g", stream="events")

    @app.on_batch("*")
    async def load(entries: object) -> None: ...

    with pytest.raises(ValueError, match="either"):

        @app.on("*")
        async def index(event: CommentEvent) -> None: ...


@pytest.mark.parametrize("group", ["", "a b", "{0}", "a:b", "-x"])
def test_a_group_name_that_would_break_a_key_is_refused(group: str) -> None:
    with pytest.raises(ValueError, match="group"):
        Consumer(group=group, stream="events")
