"""Knows who works in a portal, and who of them may see what; no I/O."""

from msgspec import Struct

from gateway.sandbox.comments import TimelineEntity

__all__ = ["ADMINISTRATOR", "Users"]

ADMINISTRATOR = 1
"""The user who installs applications; there always is one."""


class _User(Struct, frozen=True):
    name: str
    last_name: str
    is_admin: bool


class Users:
    """Knows the portal's people; who writes a comment without being listed is an ordinary user."""

    def __init__(self) -> None:
        self._users = {ADMINISTRATOR: _User("Anna", "Smirnova", is_admin=True)}
        self._hidden: set[tuple[int, TimelineEntity]] = set()

    def add(self, user_id: int, *, name: str, last_name: str, is_admin: bool = False) -> None:
        """Let somebody in, or change who it is."""
        self._users[user_id] = _User(name, last_name, is_admin)

    def is_admin(self, user_id: int) -> bool:
        """Whether the user is an administrator."""
        return user_id in self._users and self._users[user_id].is_admin

    def name_of(self, user_id: int) -> str:
        """First and last name."""
        first, last = self.names_of(user_id)
        return f"{first} {last}"

    def names_of(self, user_id: int) -> tuple[str, str]:
        """First name, and last name."""
        user = self._users.get(user_id)
        return (user.name, user.last_name) if user else ("User", str(user_id))

    def hide(self, entity_type: str, entity_id: int, user_id: int = ADMINISTRATOR) -> None:
        """Take away a user's right to read a deal or the like."""
        self._hidden.add((user_id, TimelineEntity(entity_type, entity_id)))

    def show(self, entity_type: str, entity_id: int, user_id: int = ADMINISTRATOR) -> None:
        """Give it back."""
        self._hidden.discard((user_id, TimelineEntity(entity_type, entity_id)))

    def may_read(self, user_id: int, entity: TimelineEntity) -> bool:
        """Whether the user may see an entity and what stands in its timeline."""
        return (user_id, entity) not in self._hidden
