"""Keeps what people see in a portal's messenger: notifications, and messages in chats; no I/O."""

from msgspec import Struct

__all__ = ["Chat", "ChatMessage", "Notification"]


class Notification(Struct, frozen=True, kw_only=True):
    """One that rings a user's bell; `tag` may be empty."""

    id: int
    user_id: int
    text: str
    tag: str = ""


class ChatMessage(Struct, frozen=True, kw_only=True):
    """One in a chat, by the chat's id as methods have it: `chat12`, `sg5`, or a user's."""

    id: int
    dialog_id: str
    text: str


class Chat:
    """Keeps the messenger of one portal."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.messages: list[ChatMessage] = []
        self._last_id = 0

    def notify(self, user_id: int, text: str, *, tag: str = "") -> Notification:
        """Ring a user's bell; what he was told before under the same tag goes."""
        self.notifications = [
            one for one in self.notifications if not tag or (one.user_id, one.tag) != (user_id, tag)
        ]
        told = Notification(id=self._next_id(), user_id=user_id, text=text, tag=tag)
        self.notifications.append(told)
        return told

    def say(self, dialog_id: str, text: str) -> ChatMessage:
        """Write a message into a chat."""
        said = ChatMessage(id=self._next_id(), dialog_id=dialog_id, text=text)
        self.messages.append(said)
        return said

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id
