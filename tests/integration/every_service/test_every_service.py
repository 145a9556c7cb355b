"""A deal, a task and a comment are changed in a portal, and every service hears of it."""

import pytest
from msgspec import json

from gateway.contract import Event, decode_event
from gateway.sandbox.live_portal import LivePortal
from tests.integration.every_service.account import Ask, text_of, warehoused
from tests.integration.every_service.installation import Installation
from tests.integration.every_service.php_receiver import PhpReceiver
from tests.integration.every_service.stream_reader import StreamReader
from tests.integration.notifier.sinks import HttpSink
from tests.support.eventually import eventually


@pytest.mark.timeout(300)
async def test_a_deal_a_task_and_a_comment_arrive_everywhere_with_what_they_say(
    installation: Installation,
    portal: LivePortal,
    ask: Ask,
    sink: HttpSink,
    php: PhpReceiver,
    reader: StreamReader,
) -> None:
    deal_id = portal.deals.add({"TITLE": "Ninety desks"})
    task_id = portal.tasks.add({"TITLE": "Call them", "RESPONSIBLE_ID": 1})
    comment_id = portal.comments.add(entity_type="deal", entity_id=deal_id, text="Say hello")
    await portal.sent()
    texts = {
        f"deal/{deal_id}": "Ninety desks",
        f"task/{task_id}": "Call them",
        f"comment/{comment_id}": "Say hello",
    }

    async def all_told() -> list[Event]:
        found = await installation.told()
        return found if len(found) == len(texts) else []

    told = await eventually(all_told)
    assert {str(event.subject): text_of(event) for event in told} == texts

    wanted = {event.id: text_of(event) for event in told}
    await eventually(lambda: warehoused(ask) == wanted)
    await eventually(lambda: len(php.taken()) == len(reader.events) == len(wanted))
    for place in (php.taken(), reader.events):
        came = [decode_event(json.encode(event)) for event in place]
        assert {event.id: text_of(event) for event in came} == wanted
    await eventually(lambda: len(sink.received) == len(wanted))
    notices = {one.body["title"].split()[0]: one.body["message"] for one in sink.received}
    assert notices.keys() == wanted.keys()
    assert all(text in notices[event_id] for event_id, text in wanted.items()), notices
    assert not php.refused()
