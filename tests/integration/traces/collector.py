"""A collector on loopback that keeps the spans it is sent, and one that never answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from gateway.local.redis_server import free_port

__all__ = ["Collector", "SeenSpan", "collecting", "silent_collector"]

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


class SeenSpan(Struct, frozen=True):
    """A span that was exported; ids are hexadecimal, `links` are pairs of trace and span."""

    service: str
    instance: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: list[tuple[str, str]]
    attributes: dict[str, Any]
    is_error: bool


class Collector:
    """Keeps what it was sent: `spans` in the order of arrival, and the `bodies` they came in."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.spans: list[SeenSpan] = []
        self.bodies: list[bytes] = []

    @property
    def environment(self) -> dict[str, str]:
        """What lets a process export to it, when it ends if not before."""
        return exporting_to(self.port)

    def of(self, kind: str) -> list[SeenSpan]:
        return [one for one in self.spans if one.kind == kind]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )


def exporting_to(port: int) -> dict[str, str]:
    # Batches leave after an hour: what comes, comes because the process was stopped.
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    }


def _spans(exported: ExportTraceServiceRequest) -> Iterator[SeenSpan]:
    for of_process in exported.resource_spans:
        resource = _values(of_process.resource.attributes)
        for scope in of_process.scope_spans:
            for one in scope.spans:
                yield SeenSpan(
                    service=resource["service.name"],
                    instance=resource["service.instance.id"],
                    name=one.name,
                    kind=KINDS[one.kind],
                    trace_id=one.trace_id.hex(),
                    span_id=one.span_id.hex(),
                    parent_id=one.parent_span_id.hex(),
                    links=[(link.trace_id.hex(), link.span_id.hex()) for link in one.links],
                    attributes=_values(one.attributes),
                    is_error=one.status.code == 2,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    app = web.Application()
    collector = Collector(free_port())
    app.router.add_post("/v1/traces", collector.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", collector.port).start()
    try:
        yield collector
    finally:
        await runner.cleanup()


@asynccontextmanager
async def silent_collector() -> AsyncIterator[tuple[dict[str, str], asyncio.Event]]:
    """The environment of who exports to it, and whether anybody has sent something."""
    asked = asyncio.Event()
    over = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await over.wait()
        writer.transport.abort()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    try:
        yield exporting_to(server.sockets[0].getsockname()[1]), asked
    finally:
        over.set()
        server.close()
        await server.wait_closed()
