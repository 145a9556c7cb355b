"""Admits usual deliveries without aiohttp's request, and has their batch write the answers."""

from time import time_ns
from typing import Final, Protocol

from aiohttp import web
from msgspec import Struct
from uuid_utils import uuid7

from gateway.contract import Streams, encode_event
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.form_fields import extract
from gateway.publishing.batch import Stored, Waiter
from gateway.publishing.errors import CannotStore
from gateway.web.fast_lane.known_heads import KnownHead, KnownHeads, whole_request
from gateway.web.fast_lane.raw_answers import raw_answer, raw_stored_answer
from gateway.web.protection.guard import Guard
from gateway.web.unavailability import Unavailability
from gateway.web.unstored_values import count_unstored

__all__ = ["FastLane", "LaneClient", "LaneSink"]


class LaneSink(Protocol):
    """Where admitted events are stored."""

    def store(self, event: bytes, partition: int, waiter: Waiter) -> None:
        """Store an event and tell the waiter of it later; raises CannotStore, and tells nothing."""
        ...


class LaneClient(Protocol):
    """The connection that a delivery came on."""

    known_head: KnownHead | None
    """That of its last delivery, which that of the next one will be."""

    @property
    def remote(self) -> str | None:
        """The address of the peer."""
        ...

    def answer(self, answer: bytes) -> None:
        """Answer the request that was taken; does nothing if the client went."""
        ...


class FastLane:
    """Takes a delivery if aiohttp and the receiver would do nothing but store it: its head is
    known (KnownHeads), its token is genuine, its event says which of its kind it is about, its
    sender was allowed before and sent something lately.

    Whatever else there is about a delivery, it is not taken, nothing has been done, and the
    receiver, which sees the same bytes afterwards, has its reasons to answer as it does.
    """

    def __init__(
        self,
        admission: Admission,
        sink: LaneSink,
        streams: Streams,
        *,
        guard: Guard | None,
        counts: dict[str, int],
        unavailability: Unavailability,
        max_body_bytes: int,
    ) -> None:
        self._admit = admission.admit
        self._sink = sink
        self._streams = streams
        self._guard = guard
        self._counts = counts
        self._unavailability = unavailability
        self._max_body_bytes = max_body_bytes
        self._heads: Final = KnownHeads()
        self._is_closed = False

    def take(self, data: bytes, client: LaneClient) -> bool:
        """Whether a request that came in one read was taken; then `client` gets the answer."""
        if self._is_closed:
            return False
        head = client.known_head
        body = None if head is None else head.body_of(data)
        if head is None or body is None:
            whole = whole_request(data)
            if whole is None or (head := self._heads.find(whole.head)) is None:
                return False
            client.known_head, body = head, whole.body
        if len(body) > self._max_body_bytes:  # a head is known whatever its length
            return False
        if self._guard is not None and not self._guard.knows(client.remote, head.forwarded_for):
            return False
        receipt_id = str(uuid7())
        try:
            verdict = self._admit(
                extract(body), receipt_id=receipt_id, received_ms=time_ns() // 1_000_000
            )
        except Exception:  # noqa: BLE001 - the receiver, which meets it next, tells of it
            return False
        if not isinstance(verdict, Admitted) or verdict.subject.id is None:
            return False
        if verdict.member_id not in self._counts:
            return False
        self._counts[verdict.member_id] += 1
        if verdict.left_out:
            count_unstored(verdict)
        partition = self._streams.partition_of(verdict.member_id, verdict.subject)
        taken = _Taken(client, verdict, receipt_id, self._unavailability)
        try:
            self._sink.store(encode_event(verdict.event), partition, taken)
        except CannotStore as error:
            taken.failed(error)
        return True

    def close(self) -> None:
        """Take nothing any more; what was taken is answered."""
        self._is_closed = True

    def learn(self, data: bytes, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Remember a head after a delivery was stored that came with it, in one read."""
        if "X-Event-Stored" in response.headers and (whole := whole_request(data)) is not None:
            self._heads.learn(whole, request)


class _Taken(Struct, frozen=True, gc=False):
    """Waits for the batch of one delivery."""

    client: LaneClient
    verdict: Admitted
    receipt_id: str
    unavailability: Unavailability

    def settled(self, stored: Stored) -> None:
        self.unavailability.stored()
        self.client.answer(raw_stored_answer(self.receipt_id, stored))

    def failed(self, error: CannotStore) -> None:
        unavailable = self.unavailability.answer(
            error.reason, self.verdict, event_id=self.receipt_id
        )
        self.client.answer(raw_answer(unavailable))
