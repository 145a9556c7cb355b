"""Keeps the comments of a portal's timelines, and tells what changing one comes to; no I/O.

Which events a change fires is not what one would expect; it is what the portal's code does:

* every update fires one, even if nothing changed;
* of a comment that stands with several entities, an edit in one of them makes a copy there, and
  fires ADD and UPDATE of the copy; deleting it there only takes it away, and fires nothing;
* what disappears with its entity fires nothing.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from gateway.sandbox.announcing import Actor, Announce
from gateway.sandbox.refusal import Refusal

__all__ = ["Comments", "File", "TimelineComment", "TimelineEntity", "stored_text"]

_ENTITY_TYPE: Final = re.compile(
    r"lead|deal|contact|company|order|quote|smart_invoice|dynamic_[1-9][0-9]*"
)


class TimelineEntity(NamedTuple):
    """What a timeline belongs to: `deal` 15."""

    type: str
    id: int


class File(Struct, frozen=True, kw_only=True):
    """A file on the portal's disk."""

    id: int
    name: str
    size_bytes: int


class TimelineComment(Struct, kw_only=True):
    """A comment; `created_at` is in Unix seconds, `entities` are in the order of its bindings."""

    id: int
    text: str
    author_id: int
    created_at: float
    entities: list[TimelineEntity]
    files: list[File]


class Comments:
    """Keeps a portal's comments. Without an `actor`, it is the author who acts, in the portal."""

    def __init__(
        self, announce: Announce, clock: Callable[[], float], *, first_id: int = 1
    ) -> None:
        self._announce = announce
        self._clock = clock
        self._comments: dict[int, TimelineComment] = {}
        self._last_id = first_id - 1
        self._next_file_id = 0

    def add(
        self,
        *,
        entity_type: str,
        entity_id: int,
        text: str,
        author_id: int = 1,
        files: Sequence[str] = (),
        also_in: Sequence[tuple[str, int]] = (),
        actor: Actor | None = None,
    ) -> int:
        """Write a comment, and give its id; `files` are names, `also_in` more entities."""
        entities = [
            TimelineEntity(entity_type, entity_id),
            *(TimelineEntity(*one) for one in also_in),
        ]
        if not text:
            raise Refusal("INVALID_ARG_VALUE")
        if not all(_ENTITY_TYPE.fullmatch(entity.type) and entity.id > 0 for entity in entities):
            raise Refusal("OWNER_NOT_FOUND")
        self._last_id += 1
        self._comments[self._last_id] = TimelineComment(
            id=self._last_id,
            text=text,
            author_id=author_id,
            created_at=self._clock(),
            entities=entities,
            files=[self._file(name) for name in files],
        )
        self._announce("comment.added", self._last_id, actor or Actor(user_id=author_id))
        return self._last_id

    def update(
        self,
        comment_id: int,
        *,
        text: str | None = None,
        files: Sequence[str] | None = None,
        in_entity: tuple[str, int] | None = None,
        actor: Actor | None = None,
    ) -> int:
        """Edit a comment, where it is seen if it stands with several entities.

        Gives the id of the comment that has the new text, which then is a new one. Only the author
        may edit.
        """
        comment = self.find(comment_id)
        who = actor or Actor(user_id=comment.author_id)
        if who.user_id != comment.author_id:
            raise Refusal("ACCESS_DENIED")
        if text == "":
            raise Refusal("INVALID_ARG_VALUE")
        if len(comment.entities) > 1:
            comment = self._split(comment, TimelineEntity(*(in_entity or comment.entities[0])), who)
        if text is not None:
            comment.text = text
        if files is not None:
            comment.files = [self._file(name) for name in files]
        self._announce("comment.updated", comment.id, who)
        return comment.id

    def delete(
        self,
        comment_id: int,
        *,
        in_entity: tuple[str, int] | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Delete a comment, or take it away from one of several entities."""
        comment = self.find(comment_id)
        if len(comment.entities) > 1:
            if in_entity is None:
                raise Refusal("MULTIPLE_BINDINGS")
            self._unbind(comment, TimelineEntity(*in_entity))
            return
        del self._comments[comment_id]
        who = actor or Actor(user_id=comment.author_id)
        self._announce("comment.deleted", comment_id, who)

    def delete_entity(self, entity_type: str, entity_id: int) -> None:
        """Delete a deal or the like, with the comments that stand with it alone."""
        gone = TimelineEntity(entity_type, entity_id)
        for comment in self.of(gone):
            comment.entities.remove(gone)
            if not comment.entities:
                del self._comments[comment.id]

    def find(self, comment_id: int) -> TimelineComment:
        """The comment; raises Refusal if there is none."""
        comment = self._comments.get(comment_id)
        if comment is None:
            raise Refusal("NOT_FOUND")
        return comment

    def of(self, entity: TimelineEntity) -> list[TimelineComment]:
        """The comments that stand with an entity, oldest first."""
        return [one for one in self._comments.values() if entity in one.entities]

    def _split(
        self, comment: TimelineComment, entity: TimelineEntity, who: Actor
    ) -> TimelineComment:
        self._unbind(comment, entity)
        self._last_id += 1
        copy = TimelineComment(
            id=self._last_id,
            text=comment.text,
            author_id=comment.author_id,
            created_at=self._clock(),
            entities=[entity],
            files=list(comment.files),
        )
        self._comments[copy.id] = copy
        self._announce("comment.added", copy.id, who)
        return copy

    @staticmethod
    def _unbind(comment: TimelineComment, entity: TimelineEntity) -> None:
        if entity not in comment.entities:
            raise Refusal("OWNER_NOT_FOUND")
        comment.entities.remove(entity)

    def _file(self, name: str) -> File:
        file = File(id=self._next_file_id, name=name, size_bytes=43)
        self._next_file_id += 1
        return file


def stored_text(text: str) -> str:
    """A text as the database has it: characters of four bytes in hexadecimal, `:f09f9880:`."""
    return "".join(f":{char.encode().hex()}:" if ord(char) > 0xFFFF else char for char in text)
