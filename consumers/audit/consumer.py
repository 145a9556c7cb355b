"""Consumes for the audit log: one chain for each partition that this process owns."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from consumers import Consumer, Entry, Partition
from consumers.audit.anchoring import Anchoring
from consumers.audit.chain import Chain
from consumers.audit.chain_files import ChainTaken
from consumers.audit.chain_options import ChainOptions
from consumers.audit.chain_retention import compress_closed, remove_expired
from consumers.audit.completeness import find_gap
from consumers.audit.findings import Anchor
from consumers.audit.metrics import GAPS
from consumers.audit.records import Signer
from gateway.background import Background
from gateway.errors import GatewayError
from gateway.redis_access import connections
from gateway.settings import Settings

__all__ = ["AuditLog", "consumer_of"]

log = structlog.get_logger()

STREAM = "events"
GROUP = "audit"

# A commit costs two writes to the disk, about 2 ms together: 1,000 events share them.
_MAX_EVENTS = 1000
_MAX_WAIT_S = 0.05


class AuditLog:
    """Writes the chains of the partitions that this process owns, and looks after them."""

    def __init__(self, settings: Settings, options: ChainOptions) -> None:
        audit = settings.audit
        self._settings = audit
        self._redis = settings.redis
        self._options = options
        self._anchoring = Anchoring(audit.anchor_file, audit.anchor_command)
        self._compared: set[int] = set()
        self._root = Path(audit.dir)
        self._chains: dict[int, Chain] = {}
        self._owned: set[int] = set()
        # A batch that was cancelled may still be at work in its thread when its partition goes.
        self._serial = threading.Lock()

    @asynccontextmanager
    async def partition(self, partition: Partition) -> AsyncIterator[None]:
        """Hold the chain of a partition.

        A chain that cannot be opened now is tried again with every batch, so that other partitions
        go on, and an operator who mends it need not restart anything.
        """
        self._owned.add(partition.number)
        try:
            await self._compare(partition.number)
        except (OSError, GatewayError) as error:
            log.error("audit log cannot be opened", partition=partition.number, error=str(error))
        # Begun anew: what is not signed yet is signed later, and events are appended meanwhile.
        upkeep = Background(
            partial(self._upkeep, partition.number), name="audit upkeep", begins_anew=True
        )
        upkeep.start()
        try:
            yield
        finally:
            await upkeep.close()
            await asyncio.to_thread(self._release, partition.number)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Add entries of one partition; they are on the disk when it returns. Idempotent.

        Raises what Chain.append and Chain.open raise, and CannotCompare: then none of them is in
        the log.
        """
        await self._compare(entries[0].partition)
        await asyncio.to_thread(self._append, entries)

    async def _compare(self, partition: int) -> None:
        """See to it, once for each owner, that the chain holds what its group acknowledged.

        What it lacks is told, and written down in it, before anything is added.
        """
        chain = await asyncio.to_thread(self._chain, partition)
        if partition in self._compared:
            return
        client = connections.control(self._redis.url)
        try:
            gap = await find_gap(
                client, self._redis.streams, STREAM, partition, group=GROUP, newest=chain.newest
            )
        finally:
            await client.aclose()
        if gap is not None:
            GAPS.inc()
            log.error(
                "acknowledged entries are not in the audit log",
                chain=chain.directory.name,
                after=gap.after,
                until=gap.until,
                still_on_the_stream=gap.count,
                all_still_there=gap.is_all,
                hint="records were removed, or an older log was put back; docs/audit.md",
            )
            await asyncio.to_thread(chain.miss, gap)
        self._compared.add(partition)

    def _append(self, entries: Sequence[Entry]) -> None:
        self._chain(entries[0].partition).append(entries)

    def _chain(self, partition: int) -> Chain:
        """The open chain of a partition that this process owns. Raises as `append` does."""
        with self._serial:
            if partition not in self._owned:
                raise ChainTaken(f"partition {partition} is not ours any more")
            if partition not in self._chains:
                self._chains[partition] = Chain.open(self._root, STREAM, partition, self._options)
            return self._chains[partition]

    def _release(self, partition: int) -> None:
        with self._serial:
            self._owned.discard(partition)
            self._compared.discard(partition)
            chain = self._chains.pop(partition, None)
        if chain is not None:
            chain.close()
            self._anchor(chain)

    async def _upkeep(self, partition: int) -> None:
        """Sign what is new, compress what is closed, remove what is expired, time and again."""
        while True:
            await asyncio.sleep(self._settings.checkpoint_every_s)
            chain = self._chains.get(partition)
            if chain is None:
                continue
            try:
                await asyncio.to_thread(self._keep, chain)
            except (OSError, GatewayError) as error:
                log.warning("upkeep of the audit log failed", partition=partition, error=str(error))

    def _keep(self, chain: Chain) -> None:
        if chain.checkpoint():
            # Logs usually leave the machine: what stands in them, nobody can take back here.
            said = "audit log signed" if self._options.signer else "audit log checkpoint"
            log.info(said, anchor=str(_end_of(chain)))
        self._anchor(chain)
        today = datetime.now(UTC).date()
        remove_expired(chain, today=today, kept_days=self._settings.kept_days)
        if self._settings.compress:
            compress_closed(chain.directory, newest_day=chain.position.day)

    def _anchor(self, chain: Chain) -> None:
        if chain.position.seq and not chain.position.leaves:
            self._anchoring.place(_end_of(chain))


def _end_of(chain: Chain) -> Anchor:
    at = chain.position
    return Anchor(chain.directory.name, at.seq, at.prev)


def consumer_of(settings: Settings) -> Consumer:
    """The consumer that writes the log of the settings. Raises SettingsError, KeyUnusable."""
    audit = settings.audit
    signer: Signer | None = None
    if audit.signing_key:
        # Here, since a log that is not signed has no use for a library that takes 3 MB and 50 ms.
        from consumers.audit.signing import SigningKey  # noqa: PLC0415

        signer = SigningKey.of_setting(audit.signing_key)
    if signer is None:
        log.warning("audit log is chained but not signed", setting="[audit] signing_key is empty")
    options = ChainOptions(
        signer=signer,
        former_keys=audit.former_keys,
        checkpoint_every=audit.checkpoint_every,
    )
    audit_log = AuditLog(settings, options)
    consumer = Consumer(
        group=GROUP,
        stream=STREAM,
        start="beginning",
        # Whatever the log cannot do now, it can when somebody has mended it: no event is given up.
        transient=(OSError, GatewayError),
        # Kills come from outside, and a log without the event would be wrong without a sign of it.
        buries_crashed=False,
        partition_lifespan=audit_log.partition,
    )
    consumer.on_batch("*", max_events=_MAX_EVENTS, max_wait_s=_MAX_WAIT_S)(audit_log.append)
    return consumer
