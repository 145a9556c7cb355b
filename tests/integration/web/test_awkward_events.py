"""Whatever a portal says of an entity, a receiver stores it or says that it does not."""

from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from redis.asyncio import Redis

from gateway.contract import EntityEvent, decode_event
from gateway.label_values import DELIVERY_REASONS
from tests.support.awkward_forms import AWKWARD_FORMS, LONG_MESSAGE, body_of
from tests.support.catalogue_bodies import MEMBER_ID, PORTAL_DOMAIN, TOKEN
from tests.support.receiver_process import Receiver

SETTINGS = {
    "PORTALS": msgspec.json.encode(
        [{"member_id": MEMBER_ID, "domain": PORTAL_DOMAIN, "application_tokens": [TOKEN]}]
    ).decode(),
    "EVENTS": '[{"name": "onCrmDeal*"}, {"name": "onImBotV2*"}]',
    "HTTP_MAX_BODY": "262144",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_each_is_stored_or_refused_and_none_is_an_error(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    forms = {name: body_of(data) for name, (data, _) in AWKWARD_FORMS.items()}
    refused = {
        name
        for name, (_, outcome) in AWKWARD_FORMS.items()
        if outcome in DELIVERY_REASONS["malformed"]
    }
    answers = {}
    with Receiver(tmp_path, redis_url, spool=tmp_path / "spool", settings=SETTINGS) as receiver:
        await receiver.start()
        url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
        async with aiohttp.ClientSession(headers=FORM) as session:
            for name, body in {**forms, "a long message": LONG_MESSAGE}.items():
                async with session.post(url, data=body) as answer:
                    answers[name] = answer.status
        assert await receiver.stop() == 0

    assert answers == {name: 400 if name in refused else 200 for name in answers}
    entries: Any = await redis.xrange("b24:events:{0}")
    events = [decode_event(fields[b"event"]) for _, fields in entries]
    assert all(isinstance(event, EntityEvent) for event in events)
    told = [outcome for name, (_, outcome) in AWKWARD_FORMS.items() if name not in refused]
    assert [event.subject for event in events] == [*told, "bot_v2_message/84331"]
    assert "Traceback" not in receiver.log
