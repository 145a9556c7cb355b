"""No key that an event carries is found behind the edge: in no store, nor in what is told of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode

import aiohttp
import msgspec
import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from consumers import Consumer, Event
from gateway.contract import EVENT_TYPES
from gateway.local.redis_server import free_port
from tests.integration.erasing.everything import everything
from tests.integration.runtime.running import running, settled
from tests.integration.traces.collector import Collector, collecting
from tests.support.catalogue_bodies import MEMBER_ID, PORTAL_DOMAIN, TOKEN, catalogue_bodies
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver
from tests.support.spooled import spooled

MARK: Final = "5en71ne1"
"""In every sentinel, and nowhere else."""
KEY: Final = f"{MARK}k8w2x0c4v6b1n3m5q7e9r2t4"
"""As long, and as random, as a refresh token of Bitrix24."""
SENTINELS: Final = (
    KEY,
    f"see {KEY}, it opens the door",
    f"https://acme.bitrix24.com/rest/7/{KEY}/crm.deal.get?auth={KEY}",
    f'{{"access_token":"{KEY}"}}',
)
WORD: Final = f"{MARK}"
"""What only the name of its field can tell to be a secret."""
OWN: Final = f"plain-{MARK}-words"
"""A token of the delivery itself, without the shape of one."""
NAMES: Final = (
    *("access_token", "AUTH", "auth", "refreshToken", "CLIENT_SECRET", "password", "sessid"),
    *("application_token", "webhookSecret", "API_KEY", "DOWNLOAD_URL"),
)
ID_PLACES: Final = {
    place
    for row in EVENT_TYPES
    for place in (
        *row.id_places,
        *row.entity_type_places,
        *(place for _, place in row.other_subjects),
    )
}
SETTINGS: Final = {
    "PORTALS": msgspec.json.encode(
        [{"member_id": MEMBER_ID, "domain": PORTAL_DOMAIN, "application_tokens": [TOKEN]}]
    ).decode(),
    "EVENTS": '[{"name": "*"}]',
    "LOG_LEVEL": "debug",
}


def bodies(token: str) -> Iterator[bytes]:
    """Of each event of the catalogue its bodies, with a sentinel wherever a key can stand."""
    for one in catalogue_bodies():
        sent = parse_qsl(one.body.decode(), keep_blank_values=True)
        data = [name for name, _ in sent if name.startswith("data[") and name not in ID_PLACES]
        arrays = dict.fromkeys(["data[OTHERS]", *(name.rpartition("[")[0] for name in data)])
        named = [
            (f"{array}[{name}]{inner}", value)
            for array in arrays
            for name in NAMES
            for inner, value in (("", WORD), ("[inner]", WORD))
            if not f"{array}[{name}]{inner}".count("[") > 5
        ]
        for sentinel in SENTINELS:
            pairs = [
                (name, sentinel if name in data else value)
                for name, value in sent
                if not name.startswith("auth[application_token")
            ]
            more = named if sentinel is KEY else []
            more += [("data[REPEATED]", OWN), (f"data[{KEY}]", "1"), ("auth[refresh_token]", OWN)]
            yield urlencode([*pairs, *more, ("auth[application_token]", token)]).encode()


async def post(port: int, token: str) -> dict[int, int]:
    """Deliver all of them, and say how often each status was the answer."""
    statuses: dict[int, int] = {}
    url = f"http://127.0.0.1:{port}/bitrix24/events"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession() as session:
        places = asyncio.Semaphore(16)

        async def one(body: bytes) -> None:
            async with places, session.post(url, data=body, headers=form) as answer:
                statuses[answer.status] = statuses.get(answer.status, 0) + 1

        await asyncio.gather(*map(one, bodies(token)))
    return statuses


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


async def test_no_key_passes_the_edge(
    redis: Redis, redis_url: str, collector: Collector, tmp_path: Path
) -> None:
    told: dict[str, bytes] = {}
    settings = SETTINGS | {"VAULT_KEYS": Fernet.generate_key().decode()}
    with Receiver(
        tmp_path,
        redis_url,
        spool=tmp_path / "spool",
        settings=settings,
        environment=collector.environment,
    ) as receiver:
        await receiver.start()
        delivered = await post(receiver.port, TOKEN)
        refused = await post(receiver.port, "fake0other0token")
        await eventually(lambda: redis.keys("b24:quarantine:*"))
        dead = await _dead_letters(redis, redis_url)
        told["metrics"] = "\n".join(await receiver.metrics()).encode()
        assert await receiver.stop() == 0
        told["log"] = receiver.log.encode()

    total = sum(delivered.values())
    assert delivered == {200: total}
    assert refused == {403: total}
    assert await redis.xlen("b24:events:{0}") > 800
    assert dead == len(SENTINELS)
    assert b"b24gw_event_values_left_out_total{" in told["metrics"]
    assert collector.bodies
    told |= await everything(redis)
    told |= {f"span {number}": body for number, body in enumerate(collector.bodies)}
    assert [name for name, text in told.items() if MARK.encode() in text] == []


async def _dead_letters(redis: Redis, redis_url: str) -> int:
    """How many a service has made that puts all it knows of a bot's event into its error."""
    app = Consumer(group="careless", stream="events", start="beginning", max_attempts=1)

    @app.on("bitrix24.imbot.message.added")
    async def handle(event: Event) -> None:
        raise ValueError(str(event))

    async with running(app, redis_url):
        await eventually(lambda: settled(redis, "b24:events:{0}", "careless"))
    return int(await redis.xlen("b24:dead:careless:{0}"))


async def test_no_key_waits_in_the_spool(tmp_path: Path) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    spool = tmp_path / "spool"
    with Receiver(tmp_path, nobody, spool=spool, settings=SETTINGS) as receiver:
        await receiver.start()
        delivered = await post(receiver.port, TOKEN)
        receiver.kill()

    assert delivered == {200: sum(delivered.values())}
    assert spooled(spool) > 800
    files = [path for path in spool.rglob("*") if path.is_file()]
    assert [path for path in files if MARK.encode() in path.read_bytes()] == []
    assert MARK not in receiver.log
