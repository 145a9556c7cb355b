"""Finds which group has acknowledged which entry, by what Redis tells of the groups. Pure."""

from collections.abc import Collection, Iterator

from gateway.contract import EntryId

__all__ = ["GroupPositions"]

_MAX_ENTRIES = 1000


class GroupPositions:
    """Keeps the last entries that were seen on a stream, and who has acknowledged them."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}
        self._acknowledged: dict[str, set[str]] = {}

    def seen(self, entry_id: str, subject: str) -> None:
        """An entry is on the stream; only so many of the newest ones are kept."""
        self._entries[entry_id] = subject
        if len(self._entries) > _MAX_ENTRIES:
            oldest = next(iter(self._entries))
            del self._entries[oldest]
            for entries in self._acknowledged.values():
                entries.discard(oldest)

    def span(self) -> tuple[str, str] | None:
        """The first and the last entry, or None if there is none."""
        ids = list(self._entries)
        return (ids[0], ids[-1]) if ids else None

    def acknowledged(
        self, group: str, *, last_delivered: str, pending: Collection[str]
    ) -> Iterator[str]:
        """The subjects that the group has acknowledged since the last call, in their order.

        What was delivered to it and is not pending is acknowledged.
        """
        known = self._acknowledged.setdefault(group, set())
        for entry_id, subject in self._entries.items():
            if EntryId.of(entry_id) > EntryId.of(last_delivered):
                return
            if entry_id not in pending and entry_id not in known:
                known.add(entry_id)
                yield subject
