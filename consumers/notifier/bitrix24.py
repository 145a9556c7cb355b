"""A target inside Bitrix24: `bitrix24://<portal>/<user>/<code>/<recipient>/…`, for Apprise.

`<user>` and `<code>` are those of an inbound webhook with the right `im`. A recipient is a user's
id (`7`: a notification, which rings the bell) or a chat (`chat12`, `sg5`: a message in it).
`?tls=no` is for a portal of one's own without TLS.

https://apidocs.bitrix24.com/api-reference/chats/notifications/im-notify-system-add.html
https://apidocs.bitrix24.com/api-reference/chats/messages/im-message-add.html
"""

import re
from typing import Any, Final

import requests
from apprise import NotifyFormat, NotifyType
from apprise.exception import AppriseImproperlyConfigured
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from apprise.utils.parse import parse_bool

__all__ = ["NotifyBitrix24", "register"]

_USER: Final = re.compile(r"[1-9][0-9]*")
_CHAT: Final = re.compile(r"(?:chat|sg)[1-9][0-9]*")


class NotifyBitrix24(NotifyBase):  # type: ignore[misc]
    """Notifications and chat messages in a Bitrix24 portal.

    `tag` identifies a notification: a second one with the same tag takes the first one's place, so
    that a repeated delivery shows once.
    """

    service_name = "Bitrix24"
    service_url = "https://www.bitrix24.com/"
    setup_url = "https://apidocs.bitrix24.com/local-integrations/local-webhooks.html"
    secure_protocol = "bitrix24"
    notify_format = NotifyFormat.TEXT
    title_maxlen = 250
    body_maxlen = 20_000
    # A portal takes two requests a second from an address, after a first fifty:
    # https://apidocs.bitrix24.com/limits.html
    request_rate_per_sec = 0.5
    templates = ("{schema}://{host}/{user}/{code}/{targets}",)

    def __init__(
        self, webhook_user: str, code: str, targets: list[str], *, tls: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        if not (_USER.fullmatch(webhook_user) and code.isalnum()):
            raise AppriseImproperlyConfigured("not the user and code of an inbound webhook")
        if not targets or not all(_USER.fullmatch(t) or _CHAT.fullmatch(t) for t in targets):
            raise AppriseImproperlyConfigured(
                "a recipient is a user's id, or a chat such as chat12"
            )
        self.webhook_user = webhook_user
        self.code = code
        self.targets = targets
        self.tls = tls
        self.tag = ""

    def send(
        self,
        body: str,
        title: str = "",
        notify_type: NotifyType = NotifyType.INFO,  # noqa: ARG002 - Apprise's signature
        **_options: Any,
    ) -> bool:
        """Tell every recipient; False if one of them could not be told."""
        text = f"[b]{title}[/b]\n{body}" if title else body
        done = True
        for target in self.targets:
            if _CHAT.fullmatch(target):
                said = self._call("im.message.add", DIALOG_ID=target, MESSAGE=text)
            else:
                tag = {"TAG": self.tag} if self.tag else {}
                said = self._call("im.notify.system.add", USER_ID=target, MESSAGE=text, **tag)
            done = said and done
        return done

    def _call(self, method: str, **parameters: str) -> bool:
        """Call a REST method of the portal: the one place that knows how."""
        self.throttle()
        port = f":{self.port}" if self.port else ""
        url = f"{'https' if self.tls else 'http'}://{self.host}{port}"
        try:
            response = requests.post(
                f"{url}/rest/{self.webhook_user}/{self.code}/{method}.json",
                json=parameters,
                verify=self.verify_certificate,
                timeout=self.request_timeout,
                allow_redirects=self.redirects,
            )
            answer = response.json()
        except requests.RequestException as error:
            # The message of the exception holds the URL, and so the webhook's code.
            self.logger.warning("Bitrix24 %s: no answer (%s)", method, type(error).__name__)
            return False
        if response.ok and isinstance(answer, dict) and answer.get("result"):
            return True
        reason = (
            answer.get("error_description") or answer.get("error")
            if isinstance(answer, dict)
            else ""
        )
        self.logger.warning("Bitrix24 %s: error=%s %s", method, response.status_code, reason)
        return False

    @property
    def url_identifier(self) -> tuple[Any, ...]:
        """What tells this target from others."""
        return (self.secure_protocol, self.host, self.port, self.webhook_user, self.code)

    def url(self, privacy: bool = False, *_args: Any, **_options: Any) -> str:  # noqa: FBT001, FBT002
        """The URL that makes this target again; `privacy` hides the webhook's code."""
        parameters = self.url_parameters(privacy=privacy)
        if not self.tls:
            parameters["tls"] = "no"
        port = f":{self.port}" if self.port else ""
        code = self.pprint(self.code, privacy, safe="")
        path = "/".join((self.webhook_user, code, *self.targets))
        return f"bitrix24://{self.host}{port}/{path}/?{self.urlencode(parameters)}"

    def __len__(self) -> int:
        return len(self.targets)

    @staticmethod
    def parse_url(url: str) -> dict[str, Any] | None:
        """The arguments of the constructor that a URL stands for."""
        results: dict[str, Any] | None = NotifyBase.parse_url(url)
        if not results:
            return None
        parts: list[str] = NotifyBase.split_path(results["fullpath"])
        if len(parts) < 2:
            return None
        results["webhook_user"], results["code"], *results["targets"] = parts
        results["tls"] = parse_bool(results["qsd"].get("tls", "yes"))
        return results


def register() -> None:
    """Make `bitrix24://` known to Apprise; more than once does no harm."""
    manager = NotificationManager()
    if "bitrix24" not in manager:
        manager.add(NotifyBitrix24)
