"""What is exported of a whole installation has no secret, and nothing of what a comment says."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from gateway.sandbox.assembly import open_sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.portal import PortalIdentity
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.integration.traces.collector import Collector, collecting
from tests.integration.traces.delivering import deliver, traced_receiver
from tests.support.consumer_process import SERVICE, ConsumerProcess
from tests.support.eventually import eventually

TEXT = "sentinel text of a comment"
IDENTITY: dict[str, Any] = {
    "application_token": "sentinelapplication0000000000000",
    "access_token": "sentinelaccess00",
    "refresh_token": "sentinelrefresh0000",
}
CONSUMERS = ("enricher", "notifier", "warehouse", SERVICE)


@pytest.fixture
async def portal() -> AsyncIterator[LivePortal]:
    async with open_sandbox() as sandbox:
        yield await sandbox.add_portal(member_id="010b6886ebc205e43ae65000ee00addb")


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as sink:
        yield sink


def settings(portal: LivePortal, sink: HttpSink) -> dict[str, str]:
    registered = {
        "member_id": portal.member_id,
        "domain": "acme.example",
        "application_tokens": [IDENTITY["application_token"]],
        "rest_webhook": portal.webhook_url,
    }
    url = sink.url.replace("json://", "json://user:sentinelpassword@") + "sentinelpath"
    return {
        "PORTALS": msgspec.json.encode([registered]).decode(),
        "VAULT_KEYS": Fernet.generate_key().decode(),
        "NOTIFIER_ALLOW_PRIVATE": "true",
        "NOTIFIER_ROUTES": msgspec.json.encode([{"name": "team", "urls": [url]}]).decode(),
        "WAREHOUSE_MAX_WAIT_S": "0.1",
    }


async def test_what_is_exported_has_neither_secrets_nor_texts(
    portal: LivePortal, sink: HttpSink, redis_url: str, tmp_path: Path
) -> None:
    given = settings(portal, sink)
    first, second = (
        portal.comments.add(entity_type="deal", entity_id=2, text=TEXT, author_id=7) for _ in "12"
    )
    sender = PortalIdentity(member_id=portal.member_id, domain="acme.example", **IDENTITY)
    async with collecting() as collector:
        with (
            traced_receiver(tmp_path, redis_url, collector.environment, given) as receiver,
            ExitStack() as stack,
        ):
            environment = {f"GATEWAY_{name}": value for name, value in given.items()}
            environment |= {
                **collector.environment,
                "GATEWAY_REDIS_URL": redis_url,
                "GATEWAY_CONSUMERS_PORT": "0",
                # The first one's handler fails, and says why.
                "SERVICE_FAILS_AT": str(first),
            }
            consumers = [
                stack.enter_context(ConsumerProcess(name, tmp_path, environment))
                for name in CONSUMERS
            ]
            for consumer in consumers:
                consumer.launch()
            await receiver.start()
            await eventually(lambda: all(one.lines("consumer started") for one in consumers))
            await deliver(receiver.port, first, portal=sender)
            await eventually(lambda: len(sink.received) == 1)
            sink.answer = lambda _one: web.Response(status=500, text="sentinelanswer")
            await deliver(receiver.port, second, portal=sender)
            await eventually(lambda: sink.asked == 2)
            await eventually(lambda: consumers[-1].lines("attempt failed"))
            await eventually(lambda: consumers[-2].lines("batch loaded"))
            for process in (receiver, *consumers):
                assert await process.stop() == 0

    assert TEXT in str([one.body for one in sink.received])
    _are_all_there(collector)
    secrets = [portal.webhook_code, *IDENTITY.values(), *given["VAULT_KEYS"].split()]
    told = "sentinel", "FAKE-PASSWORD", *secrets
    assert [one for one in told if any(one.encode() in body for body in collector.bodies)] == []


def _are_all_there(collector: Collector) -> None:
    names = {(one.service, one.name, one.kind) for one in collector.spans}
    assert names == {
        ("b24-receiver", "POST /bitrix24/events", "server"),
        ("b24-receiver", "send events", "producer"),
        ("b24-consumer-enricher", "process events", "consumer"),
        ("b24-consumer-enricher", "POST /rest/batch", "client"),
        ("b24-consumer-notifier", "process comments", "consumer"),
        ("b24-consumer-notifier", "send team/1", "client"),
        ("b24-consumer-warehouse", "process comments", "consumer"),
        ("b24-consumer-warehouse", "load events", "client"),
        ("b24-consumer-search-index", "process events", "consumer"),
    }
    deliveries = {one.trace_id for one in collector.of("server")}
    assert {one.trace_id for one in collector.spans} == deliveries
    errors = {(one.name, one.attributes["error.type"]) for one in collector.spans if one.is_error}
    assert errors == {
        ("process events", "consumers.runtime.exceptions.Transient"),
        ("send team/1", "not_accepted"),
    }
