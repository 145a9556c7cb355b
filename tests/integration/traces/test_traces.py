"""Spans of real processes, from the request to the handler, at a collector on loopback."""

from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.contract import decode_event
from gateway.spans import context_of
from tests.integration.traces.collector import collecting
from tests.integration.traces.delivering import deliver, traced_receiver
from tests.support.consumer_process import service
from tests.support.eventually import eventually

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CLAIMED = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
EVENTS = "b24:events:{0}"


async def test_one_trace_leads_from_the_request_to_the_handler(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    trusting = {"HTTP_TRUSTED_PROXIES": '["127.0.0.1"]'}
    async with collecting() as collector:
        environment = collector.environment
        with (
            traced_receiver(tmp_path, redis_url, environment, trusting) as receiver,
            service(redis_url, tmp_path, **environment) as consumer,
        ):
            await receiver.start()
            (event_id,) = await deliver(receiver.port, 999, headers=CLAIMED)
            await eventually(lambda: len(consumer.effects()) == 1)
            assert await receiver.stop() == 0
            assert await consumer.stop() == 0

    (delivery,), (sending,), (handling,) = map(collector.of, ("server", "producer", "consumer"))
    assert {one.trace_id for one in collector.spans} == {TRACE_ID}
    assert delivery.parent_id == SPAN_ID
    assert delivery.name == "POST /bitrix24/events"
    assert delivery.attributes["http.response.status_code"] == 200
    assert delivery.attributes["http.response.header.x-event-id"] == [event_id]
    assert delivery.attributes["cloudevents.event_id"] == event_id
    for one in (sending, handling):
        assert one.parent_id == delivery.span_id
        assert one.links == [(TRACE_ID, delivery.span_id)]
    # https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
    assert (sending.name, handling.name) == ("send events", "process events")
    assert sending.attributes["b24.stored"] == "stream"
    assert handling.attributes["messaging.message.id"] == event_id
    assert handling.attributes["messaging.consumer.group.name"] == "search-index"
    assert (delivery.service, handling.service) == ("b24-receiver", "b24-consumer-search-index")
    entries: Any = await redis.xrange(EVENTS)
    ((_id, fields),) = entries
    assert decode_event(fields[b"event"]).traceparent == f"00-{TRACE_ID}-{delivery.span_id}-01"


async def test_the_trace_that_a_stranger_claims_is_not_gone_on_with(
    redis_url: str, tmp_path: Path
) -> None:
    unsampled = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-00"}
    async with collecting() as collector:
        with traced_receiver(tmp_path, redis_url, collector.environment) as receiver:
            await receiver.start()
            await deliver(receiver.port, 999, headers=unsampled)
            assert await receiver.stop() == 0

    (delivery,) = collector.of("server")
    assert delivery.trace_id != TRACE_ID
    assert (delivery.parent_id, delivery.links) == ("", [])


async def test_every_delivery_is_linked_to_by_the_batch_that_it_left_with(
    redis_url: str, tmp_path: Path
) -> None:
    async with collecting() as collector:
        with traced_receiver(tmp_path, redis_url, collector.environment) as receiver:
            await receiver.start()
            await deliver(receiver.port, *range(1, 65))
            assert await receiver.stop() == 0

    deliveries, batches = collector.of("server"), collector.of("producer")
    assert len(deliveries) == 64
    assert 0 < len(batches) < 64
    assert sorted(link for batch in batches for link in batch.links) == sorted(
        (one.trace_id, one.span_id) for one in deliveries
    )
    for batch in batches:
        assert batch.attributes["messaging.batch.message_count"] == len(batch.links)
        assert (batch.trace_id, batch.parent_id) == batch.links[0]


async def test_each_worker_of_a_receiver_exports(redis_url: str, tmp_path: Path) -> None:
    workers = {"HTTP_WORKERS": "2"}
    async with collecting() as collector:
        with traced_receiver(tmp_path, redis_url, collector.environment, workers) as receiver:
            await receiver.start()
            await eventually(lambda: receiver.lines("listening"))  # all of them are
            # Each comes on a connection of its own, and the kernel spreads them.
            event_ids = await deliver(receiver.port, *range(1, 65))
            assert await receiver.stop() == 0

    told = [one.attributes["cloudevents.event_id"] for one in collector.of("server")]
    assert sorted(told) == sorted(event_ids)
    assert len({one.instance for one in collector.spans}) == 2


async def test_what_is_not_sampled_is_exported_by_no_process(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    async with collecting() as collector:
        with (
            traced_receiver(tmp_path, redis_url, collector.environment | sampler) as receiver,
            # It would sample everything whose trace begins with it.
            service(redis_url, tmp_path, **collector.environment) as consumer,
        ):
            await receiver.start()
            await deliver(receiver.port, 1, 2, 3)
            await eventually(lambda: len(consumer.effects()) == 3)
            assert await receiver.stop() == 0
            assert await consumer.stop() == 0

    assert collector.spans == []
    entries: Any = await redis.xrange(EVENTS)
    events = [decode_event(fields[b"event"]) for _id, fields in entries]
    contexts = [context_of(event.traceparent) for event in events]
    assert [(one.is_valid, one.trace_flags.sampled) for one in contexts] == [(True, False)] * 3


async def test_without_an_endpoint_nothing_is_traced_and_the_fast_lane_is_there(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    with traced_receiver(tmp_path, redis_url, {}) as receiver:
        await receiver.start()
        for comment_id in (1, 2, 3):
            await deliver(receiver.port, comment_id)
        assert not receiver.lines("no fast lane")
        assert await receiver.stop() == 0

    entries: Any = await redis.xrange(EVENTS)
    assert len(entries) == 3
    assert all(b"traceparent" not in fields[b"event"] for _id, fields in entries)
