"""Keeps the queue of offline events of a portal: rows, reservations, errors; no I/O.

https://apidocs.bitrix24.com/api-reference/events/offline-events.html. There is one row per message,
application, source and process. So repeated changes of one thing are one row as long as nobody
has reserved it, and a row that was marked as an error takes in later ones, unseen.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Sequence

import msgspec
from msgspec import Struct

from gateway.sandbox.php_form import Value

__all__ = ["OfflineQueue", "Row"]


class Row(Struct, kw_only=True):
    """A waiting event; `queued_at` is in Unix seconds, `process_id` empty unless reserved."""

    id: int
    queued_at: float
    event: str
    data: Value
    user_id: int
    message_id: str
    client_id: str
    connector: str
    process_id: str = ""
    is_error: bool = False


class OfflineQueue:
    """Keeps all waiting events; every method is for one application and one of its sources."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rows: dict[int, Row] = {}
        self._last_id = 0

    def put(self, client_id: str, connector: str, event: str, data: Value, user: int) -> None:
        """Add an event, or bring the row that says the same up to date."""
        message_id = _message_id(event, data)
        for row in self._of(client_id, connector):
            if (row.message_id, row.process_id) == (message_id, ""):
                row.queued_at, row.user_id = self._clock(), user
                return
        self._last_id += 1
        self._rows[self._last_id] = Row(
            id=self._last_id,
            queued_at=self._clock(),
            event=event,
            data=data,
            user_id=user,
            message_id=message_id,
            client_id=client_id,
            connector=connector,
        )

    def rows(self, client_id: str, connector: str) -> list[Row]:
        """All rows, oldest id first."""
        return self._of(client_id, connector)

    def reserve(self, rows: Sequence[Row]) -> str:
        """Take rows for a process that is new, and give its id."""
        process_id = secrets.token_hex(16)
        for row in rows:
            row.process_id = process_id
        return process_id

    def remove(self, rows: Collection[Row]) -> None:
        """Delete rows that have been handed out."""
        for row in rows:
            del self._rows[row.id]

    def clear(
        self,
        client_id: str,
        connector: str,
        process_id: str,
        *,
        ids: Collection[int] | None = None,
        message_ids: Collection[str] | None = None,
    ) -> None:
        """Delete what a process has reserved: all of it, or the named rows of it."""
        self.remove(
            [
                row
                for row in self._of(client_id, connector)
                if row.process_id == process_id
                and (ids is None or row.id in ids)
                and (message_ids is None or row.message_id in message_ids)
            ]
        )

    def fail(
        self, client_id: str, connector: str, process_id: str, message_ids: Collection[str]
    ) -> None:
        """Release these rows of a process as errors, and drop other rows of the same messages."""
        named = [
            row
            for row in self._of(client_id, connector)
            if row.message_id in message_ids and not row.is_error
        ]
        for row in named:
            if row.process_id == process_id:
                row.process_id, row.is_error = "", True
            else:
                del self._rows[row.id]

    def forget(self, client_id: str) -> None:
        """Delete all rows of an application."""
        self.remove([row for row in self._rows.values() if row.client_id == client_id])

    def _of(self, client_id: str, connector: str) -> list[Row]:
        return [
            row
            for row in self._rows.values()
            if (row.client_id, row.connector) == (client_id, connector)
        ]


def _message_id(event: str, data: Value) -> str:
    text = f"{event}|{msgspec.json.encode(data).decode()}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
