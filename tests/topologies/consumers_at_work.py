"""Consumers of every kind on one deployment, as processes, and what became of each event there."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import duckdb
from cryptography.fernet import Fernet
from msgspec import Struct, json

from consumers.audit.chain_verification import verify_chain
from consumers.audit.day_files import chains
from gateway.contract import CommentEvent, Event, decode_event
from gateway.redis_access import connections
from gateway.sandbox.assembly import open_sandbox
from gateway.sandbox.portal import SANDBOX
from tests.faults import sink
from tests.integration.every_service.account import by_subject, notified
from tests.integration.notifier.sinks import HttpSink, Received, http_sink
from tests.support.audit_log import lines_of
from tests.support.consumer_process import Worker
from tests.support.eventually import eventually
from tests.support.stage import Stage

__all__ = ["ConsumersAtWork", "Effects", "consumers_at_work"]

_COMMENTS: Final = 24
_FIRST_COMMENT: Final = 1000
"""What a load (tests.support.load) tells of."""
_GROUPS: Final = (
    ("events", sink.GROUP),
    ("events", "audit"),
    ("events", "enricher"),
    ("comments", "warehouse"),
    ("comments", "notifier"),
)


class Effects(Struct, frozen=True, kw_only=True):
    """What became of the events at one place.

    `lost` have no effect there, `doubled` are effects beyond the first of one event, and
    `out_of_order` those that came before one of an earlier event of the same subject.
    """

    lost: int
    doubled: int
    out_of_order: int

    @classmethod
    def of(cls, told: Sequence[Event], effects: Sequence[str]) -> Self:
        """`told` are the events in order, each once; `effects` their ids as they came."""
        known = {event.id for event in told}
        assert known >= set(effects), "an effect of what was never told"
        order = by_subject(told, [event.id for event in told])
        places = {event_id: place for ids in order.values() for place, event_id in enumerate(ids)}
        found = by_subject(told, effects)
        return cls(
            lost=len(known - set(effects)),
            doubled=len(effects) - len(set(effects)),
            out_of_order=sum(
                _backwards(places[event_id] for event_id in ids) for ids in found.values()
            ),
        )


def _backwards(places: Iterable[int]) -> int:
    count, furthest = 0, -1
    for place in places:
        count += place < furthest
        furthest = max(furthest, place)
    return count


class ConsumersAtWork:
    """A handler's, the audit log's, the enricher's, the warehouse's and the notifier's process."""

    def __init__(self, stage: Stage, url: str, setting: str, notices: HttpSink) -> None:
        self._stage = stage
        self._url = url
        self._notices = notices
        self._setting = setting
        self._sink = sink.Sink(stage.directory)
        self._workers: list[Worker] = []

    def launch(self, webhook: str) -> None:
        """Start them; `webhook` is where the portal answers the enricher."""
        portal = {
            "member_id": SANDBOX.member_id,
            "domain": SANDBOX.domain,
            "application_tokens": [SANDBOX.application_token],
            "rest_webhook": webhook,
        }
        route = {
            "name": "everybody",
            "urls": [self._notices.url],
            "title": "{{ event.id }} {{ count }}",
            "window_s": 0,
        }
        environment = {
            "GATEWAY_PORTALS": json.encode([portal]).decode(),
            "GATEWAY_VAULT_KEYS": Fernet.generate_key().decode(),
            "GATEWAY_WAREHOUSE_MAX_WAIT_S": "0.5",
            "GATEWAY_NOTIFIER_ALLOW_PRIVATE": "true",
            "GATEWAY_NOTIFIER_ROUTES": json.encode([route]).decode(),
            **self._sink.environment,
        }
        self._workers = [
            self._stage.worker(name, self._setting, environment)
            for name in (sink.SERVICE, "audit", "enricher", "warehouse", "notifier")
        ]

    async def until_ready(self) -> None:
        """Wait until each group is there on every partition: what comes now is for all."""
        for stream, group in _GROUPS:
            await self._stage.until_consumed(self._url, group, stream=stream)

    async def until_settled(self) -> None:
        """Wait until all have handled and acknowledged all, and everybody was notified."""
        await self.until_ready()
        told = await self._told("comments")
        wanted = by_subject(told, [event.id for event in told])
        await eventually(lambda: set(self._notified(told)) >= _flat(wanted), timeout_s=60)

    async def stop(self) -> None:
        """Stop each as a supervisor does."""
        assert [await worker.stop() for worker in self._workers] == [0] * len(self._workers)

    async def effects(self) -> dict[str, Effects]:
        """What became of all events with each consumer, once they are stopped."""
        events = await self._told("events")
        written = await self._told("comments", is_distinct=False)
        comments = list({event.id: event for event in written}.values())
        assert not await self._dead_letters()
        assert not [chain for chain in map(verify_chain, self._chains()) if chain.fault]
        return {
            "handler": Effects.of(events, [one.event_id for one in self._sink.effects()]),
            "audit log": Effects.of(events, self._logged()),
            "enricher": Effects.of(events, [event.id for event in written]),
            "warehouse": Effects.of(comments, self._rows(comments)),
            "notifier": Effects.of(comments, self._notified(comments)),
        }

    @property
    def recognised_count(self) -> int:
        """How many effects came again, and were known as such by whoever they came to.

        The handler's sink knows them by their event, and who is notified by the message's key. The
        audit log has the event as each entry that it was: one may be gone with its primary.
        """
        notices = len(self._notices.received) - len(self._distinct_notices())
        records = self._records()
        return (
            self._sink.outcomes()["repeated"]
            + notices
            + len(set(records))
            - len({event_id for event_id, _entry in records})
        )

    async def _told(self, stream: str, *, is_distinct: bool = True) -> list[Event]:
        """The events of comments on all partitions, of each subject in order.

        The gateway's own, as an hour's balance, are none of the load's.
        """
        found: list[Event] = []
        async with connections.control(self._url) as redis:
            for key in self._stage.streams.keys(stream):
                entries: Any = await redis.xrange(key)
                events = [decode_event(fields[b"event"]) for _id, fields in entries]
                found += [event for event in events if isinstance(event, CommentEvent)]
        return list({event.id: event for event in found}.values()) if is_distinct else found

    async def _dead_letters(self) -> int:
        count = 0
        async with connections.control(self._url) as redis:
            for _stream, group in _GROUPS:
                for partition in range(self._stage.streams.partitions):
                    count += await redis.xlen(self._stage.streams.dead(group, partition))
        return count

    def _chains(self) -> list[Any]:
        return chains(self._stage.directory / "var" / "audit")

    def _records(self) -> list[tuple[str, str]]:
        """The event and the entry of each record of the audit log that is about a comment."""
        records = [json.decode(line) for chain in self._chains() for line in lines_of(chain)]
        return [
            (record["event"]["id"], f"{record['partition']}/{record['entry']}")
            for record in records
            if record["kind"] == "event" and record["event"]["subject"].startswith("comment/")
        ]

    def _logged(self) -> list[str]:
        """The events of the audit log; again is one whose entry is there twice."""
        first: dict[str, str] = {}
        return [
            event_id
            for event_id, entry in self._records()
            if first.setdefault(event_id, entry) == entry
        ]

    def _rows(self, told: Sequence[Event]) -> list[str]:
        """Rows have no order: they are given in that of the events."""
        file = self._stage.directory / "var" / "warehouse.duckdb"
        with duckdb.connect(str(file), read_only=True) as database:
            rows = database.execute("SELECT event_id FROM bitrix24.comment_events").fetchall()
        counts = Counter(event_id for (event_id,) in rows)
        return [event.id for event in told for _ in range(counts.pop(event.id, 0))] + [*counts]

    def _notified(self, told: Sequence[Event]) -> list[str]:
        found = notified(self._distinct_notices(), told)
        return [event_id for ids in found.values() for event_id in ids]

    def _distinct_notices(self) -> list[Received]:
        """What somebody hears who drops what has come before, by its key."""
        return list({one.key: one for one in self._notices.received}.values())


def _flat(by: dict[str, list[str]]) -> set[str]:
    return {event_id for ids in by.values() for event_id in ids}


@asynccontextmanager
async def consumers_at_work(stage: Stage, url: str, setting: str) -> AsyncIterator[ConsumersAtWork]:
    """All of them, ready; `setting` is how the URL is written in their settings."""
    async with open_sandbox() as sandbox, http_sink() as notices:
        portal = await sandbox.add_portal(
            member_id=SANDBOX.member_id,
            requests_per_s=1000.0,
            burst=1000.0,
            first_comment_id=_FIRST_COMMENT,
        )
        for number in range(_COMMENTS):
            portal.comments.add(entity_type="deal", entity_id=2, text=f"text {number}", author_id=7)
        at_work = ConsumersAtWork(stage, url, setting, notices)
        at_work.launch(portal.webhook_url)
        await at_work.until_ready()
        yield at_work
