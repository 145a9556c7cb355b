"""Sends to targets inside Bitrix24, `bitrix24://<member_id>/<recipient>/…`, for Apprise.

`<member_id>` names the portal; by what right it is called is said by the settings, as for all calls
to it. A recipient is a user's id (`7`: a notification, which rings the bell) or a chat (`chat12`,
`sg5`: a message in it).

https://apidocs.bitrix24.com/api-reference/chats/notifications/im-notify-system-add.html
https://apidocs.bitrix24.com/api-reference/chats/messages/im-message-add.html
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from apprise import NotifyFormat, NotifyType
from apprise.exception import AppriseImproperlyConfigured
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase

from consumers.notifier.watched_exchange import ask_to_wait, refuse_content
from gateway.bitrix24.errors import Bitrix24Error, Limited, Refused

__all__ = ["NotifyBitrix24", "TargetPortal", "register"]

_MEMBER_ID: Final = re.compile(r"[0-9A-Za-z]{1,64}")
_USER: Final = re.compile(r"[1-9][0-9]*")
_CHAT: Final = re.compile(r"(?:chat|sg)[1-9][0-9]*")
# An inbound webhook has to say whose tags its tags are; of an application the portal knows.
_CLIENT_ID: Final = "bitrix24-event-gateway"


class TargetPortal(Protocol):
    """The portal that a target is in, for code that runs in a thread."""

    def call(
        self, method: str, parameters: Mapping[str, Any], *, is_repeatable: bool, timeout_s: float
    ) -> None:
        """Call a REST method; returns when it is done. Raises Bitrix24Error or TimeoutError."""


class NotifyBitrix24(NotifyBase):  # type: ignore[misc]
    """Sends notifications and chat messages in a Bitrix24 portal.

    `tag` identifies a notification: a second one with the same tag takes the first one's place, so
    that a repeated delivery shows once. Nothing can be sent before `portal` is set.
    """

    service_name = "Bitrix24"
    service_url = "https://www.bitrix24.com/"
    setup_url = "https://apidocs.bitrix24.com/local-integrations/local-webhooks.html"
    secure_protocol = "bitrix24"
    notify_format = NotifyFormat.TEXT
    title_maxlen = 250
    body_maxlen = 20_000
    overflow_amalgamate_title = True  # the title stands in the same text
    # The client keeps to the portal's limits, together with all other processes.
    request_rate_per_sec = 0
    templates = ("{schema}://{host}/{targets}",)

    def __init__(self, targets: list[str], **options: Any) -> None:
        super().__init__(**options)
        if not _MEMBER_ID.fullmatch(self.host or ""):
            raise AppriseImproperlyConfigured("a portal is named by its member_id")
        if not targets or not all(_USER.fullmatch(t) or _CHAT.fullmatch(t) for t in targets):
            raise AppriseImproperlyConfigured(
                "a recipient is a user's id, or a chat such as chat12"
            )
        self.targets = targets
        self.tag = ""
        self.portal: TargetPortal | None = None

    @property
    def member_id(self) -> str:
        """The portal."""
        return str(self.host)

    def send(
        self,
        body: str,
        title: str = "",
        notify_type: NotifyType = NotifyType.INFO,  # noqa: ARG002 - Apprise's signature
        **_options: Any,
    ) -> bool:
        """Tell every recipient; False if one of them could not be told."""
        text = f"[b]{title}[/b]\n{body}" if title else body
        answers: list[Bitrix24Error | TimeoutError | None] = []
        for target in self.targets:
            if _CHAT.fullmatch(target):
                called = self._call("im.message.add", {"DIALOG_ID": target, "MESSAGE": text})
            else:
                called = self._call(
                    "im.notify.system.add",
                    {
                        "USER_ID": target,
                        "MESSAGE": text,
                        "TAG": self.tag,
                        "CLIENT_ID": _CLIENT_ID,
                    },
                    is_repeatable=bool(self.tag),
                )
            answers.append(called)
        if all(type(answer) is Refused for answer in answers):
            refuse_content()
        return not any(answers)

    def _call(
        self, method: str, parameters: dict[str, str], *, is_repeatable: bool = False
    ) -> Bitrix24Error | TimeoutError | None:
        """Call a method; what kept it from being carried out."""
        assert self.portal is not None, "set by the target before it sends"  # noqa: S101
        timeout_s = self.socket_connect_timeout + self.socket_read_timeout
        try:
            self.portal.call(method, parameters, is_repeatable=is_repeatable, timeout_s=timeout_s)
        except TimeoutError as error:
            self.logger.warning("%s: no answer within %g s", method, timeout_s)
            return error
        except Bitrix24Error as error:
            if isinstance(error, Limited):
                ask_to_wait(error.retry_in_s)
            self.logger.warning("%s: %s", method, error)
            return error
        return None

    @property
    def url_identifier(self) -> tuple[Any, ...]:
        """What tells this target from others."""
        return (self.secure_protocol, self.host)

    def url(self, privacy: bool = False, *_args: Any, **_options: Any) -> str:  # noqa: FBT001, FBT002
        """The URL that makes this target again; there is no secret in it."""
        parameters = self.urlencode(self.url_parameters(privacy=privacy))
        return f"bitrix24://{self.host}/{'/'.join(self.targets)}/?{parameters}"

    def __len__(self) -> int:
        return len(self.targets)

    @staticmethod
    def parse_url(url: str) -> dict[str, Any] | None:
        """The arguments of the constructor that a URL stands for."""
        results: dict[str, Any] | None = NotifyBase.parse_url(url)
        if results:
            results["targets"] = NotifyBase.split_path(results["fullpath"])
        return results


def register() -> None:
    """Make `bitrix24://` known to Apprise; more than once does no harm."""
    manager = NotificationManager()
    if "bitrix24" not in manager:
        manager.add(NotifyBitrix24)
