import pytest

from consumers import CommentEvent, Consumer, Entry
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

    with pytest.raises(ValueError, match="takes the event"):

        @app.on("*")
        async def nothing() -> None: ...


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
