"""A stage for one fault: a server, receivers, a load, and the account at the end."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict
from redis.exceptions import ResponseError

from gateway.contract import CommentEvent, InvalidEvent, Streams, decode_event
from gateway.drill.delivery_load import DeliveryLoad, LoadDelivery
from gateway.drill.fault_ledger import FaultAccount, StoredEvent, account_of, stored_event
from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.partitioning.partition_record import adopt_record
from gateway.redis_access import connections
from tests.integration.runtime.running import settled
from tests.support.consumer_process import Worker
from tests.support.eventually import eventually
from tests.support.probes import Saying, Watch, lies_of_receiver
from tests.support.receiver_process import Receiver
from tests.support.spooled import spooled, until_drained

__all__ = ["COUNTED", "SAFE", "Stage", "entries_on"]

SAFE: Final = ("--appendfsync", "always")
"""With `everysec` Redis holds back what it has confirmed for up to two seconds while an fsync takes
long, and a kill then loses it, which is not what is tried here.
https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/
"""
COUNTED: Final = "passed: every effect is accounted for"
"""What the table says of a fault whose account is kept by the test itself."""

_STREAMS: Final = Streams(partitions=2)
_RATE: Final = 400.0


class ProbedAccount(FaultAccount, frozen=True, kw_only=True):
    """With how many answers of probes were not so."""

    untrue_probes: int


class Stage:
    """What the faults have in common; made by the fixture `stage`, which also takes it down.

    `is_long` says that the matrix runs: faults then last as long as they do in the matrix.
    """

    def __init__(
        self,
        binary: ServerBinary,
        directory: Path,
        *,
        is_long: bool,
        streams: Streams = _STREAMS,
    ) -> None:
        self.binary = binary
        self.streams = streams
        self.directory = directory
        self.spool_dir = directory / "spool"
        self.account: ProbedAccount | None = None
        self.remark = ""  # in the table, for a fault that keeps its own account
        self._is_long = is_long
        self._processes = ExitStack()
        self._receivers: list[Receiver] = []
        self._workers: list[Worker] = []
        self._watches: dict[int, Watch] = {}

    def span(self, *, short: float, full: float) -> float:
        """Seconds: `short` in `make test`, `full` in the matrix."""
        return full if self._is_long else short

    def server(self, name: str = "redis", *options: str, port: int | None = None) -> RedisServer:
        """A started server that keeps what it has said even if it is killed, under `name`."""
        server = RedisServer(
            self.binary,
            self.directory / name,
            port=port,
            append_only=True,
            options=(*SAFE, *options),
        )
        self._processes.callback(server.stop)
        server.start()
        return server

    async def receiver(
        self,
        redis_url: str,
        settings: Mapping[str, str] | None = None,
        *,
        log: int | None = None,
    ) -> Receiver:
        """A started receiver, which shares the spool with the other ones."""
        receiver = Receiver(
            self.directory,
            redis_url,
            spool=self.spool_dir,
            settings={"REDIS_PARTITIONS": str(self.streams.partitions), **(settings or {})},
        )
        self._receivers.append(self._processes.enter_context(receiver))
        await receiver.start(log=log)
        self._watches[receiver.port] = Watch(receiver.admin_port)
        return receiver

    def worker(
        self,
        name: str,
        redis_url: str,
        environment: Mapping[str, str],
        *,
        log: int | None = None,
    ) -> Worker:
        """A started consumer, whose probes are asked as those of a receiver are."""
        worker = Worker(
            name,
            self.directory,
            {
                "GATEWAY_REDIS_URL": redis_url,
                "GATEWAY_REDIS_PARTITIONS": str(self.streams.partitions),
                "GATEWAY_CONSUMERS_LEASE_S": "2",
                **environment,
            },
        )
        self._workers.append(self._processes.enter_context(worker))
        worker.launch(log=log)
        self._watches[worker.port] = Watch(worker.port)
        return worker

    async def until_consumed(
        self, url: str, group: str, *, stream: str = "events", timeout_s: float = 120
    ) -> None:
        """Wait until a group has handled and acknowledged all that is on the stream."""

        async def is_done() -> bool:
            try:
                keys = (await _on_record(redis, self.streams)).keys(stream)
                return all([await settled(redis, key, group) for key in keys])
            except (*connections.AWAY, ResponseError):
                return False

        async with connections.control(url) as redis:
            await eventually(is_done, timeout_s=timeout_s)

    async def until_green(self, *, timeout_s: float = 20) -> None:
        """Wait until all probes of all workers say that all is well, as it is by now."""
        for worker in self._workers:
            for path in ("readyz", "healthz"):

                async def is_green(worker: Worker = worker, path: str = path) -> bool:
                    return await asyncio.to_thread(worker.probe, path) == 200

                await eventually(is_green, timeout_s=timeout_s)

    def load(self, *receivers: Receiver, rate: float = _RATE) -> DeliveryLoad:
        """A load on these receivers."""
        return DeliveryLoad([receiver.port for receiver in receivers], rate=rate)

    async def settle(
        self, deliveries: list[LoadDelivery], server: RedisServer | str, *, is_ordered: bool = True
    ) -> ProbedAccount:
        """Wait until the spool is empty, stop the receivers, and draw up the account.

        Asserts what holds after every fault: nothing lost, nothing twice, no receiver that ended
        otherwise than it should, no trace of an unforeseen error, no probe that was untrue. And
        nothing out of order, which only a full spool excuses. `server` is one, or a URL.
        """
        await self.until_drained()
        await self.until_green()
        lies = self._lies(deliveries)
        codes = [await receiver.stop() for receiver in self._receivers]
        url = server if isinstance(server, str) else server.url
        account = account_of(deliveries, await entries_on(url, self.streams))
        self.account = ProbedAccount(**asdict(account), untrue_probes=len(lies))
        logs = "".join(receiver.log for receiver in self._receivers)
        assert self.account.accepted > 0, logs[-3000:]
        assert self.account.lost == self.account.duplicated == 0, f"{self.account}\n{logs[-3000:]}"
        assert not (is_ordered and self.account.out_of_order), f"{self.account}\n{logs[-3000:]}"
        assert not lies, f"{lies[:5]}\n{logs[-3000:]}"
        assert codes == [0] * len(codes), logs[-3000:]
        assert "Traceback" not in logs, logs[logs.index("Traceback") - 1000 :][:4000]
        return self.account

    def _lies(self, deliveries: list[LoadDelivery]) -> list[Saying]:
        """What probes said and was not so; asks none of them any more."""
        lies = []
        for port, watch in self._watches.items():
            watch.close()
            lies += lies_of_receiver(
                watch.sayings, [delivery for delivery in deliveries if delivery.port == port]
            )
        return lies

    async def until_spooled(self, events: int, *, timeout_s: float = 30) -> None:
        """Wait until so many events wait in the spool."""
        await eventually(lambda: spooled(self.spool_dir) >= events, timeout_s=timeout_s)

    async def until_draining(self, *, timeout_s: float = 20) -> bool:
        """Wait until the spool shrinks or is empty; whether something still waits there."""
        most = 0

        def is_draining() -> bool:
            nonlocal most
            now = spooled(self.spool_dir)
            most = max(most, now)
            return now == 0 or now < most

        await eventually(is_draining, timeout_s=timeout_s)
        return spooled(self.spool_dir) > 0

    async def until_drained(self, *, timeout_s: float = 60) -> None:
        """Wait until no event waits in the spool."""
        await until_drained(self.spool_dir, timeout_s=timeout_s)

    def close(self) -> None:
        """End every process that the stage started."""
        for watch in self._watches.values():
            watch.close()
        self._processes.close()


async def entries_on(url: str, streams: Streams = _STREAMS) -> list[list[StoredEvent]]:
    """The entries of each partition that are about comments, in their order; former ones first."""
    async with connections.control(url) as client:
        found = []
        for key in (await _on_record(client, streams)).keys("events"):
            entries: Any = await client.xrange(key)
            raw = [fields.get(b"event", b"") for _, fields in entries]
            found.append([stored_event(event) for event in raw if _is_of_comment(event)])
        return found


async def _on_record(client: Any, assumed: Streams) -> Streams:
    streams = Streams(prefix=assumed.prefix, partitions=assumed.partitions)
    await adopt_record(client, streams)
    return streams


def _is_of_comment(raw: bytes) -> bool:
    try:
        return isinstance(decode_event(raw), CommentEvent)
    except InvalidEvent:
        return False
