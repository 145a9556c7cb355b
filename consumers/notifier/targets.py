"""Gets messages to a target, which is one URL of a route. All that is known about Apprise.

Apprise's plugins are synchronous: its `async_notify` runs each of them in one small pool of threads
for the whole process, in which a target that hangs takes the others' threads. So each target has
threads of its own here.
"""

import asyncio
import copy
import logging
import threading
from functools import partial
from typing import Any, Final

from apprise import Apprise, AppriseAsset
from apprise.plugins.base import NotifyBase
from apprise.url import URLBase
from msgspec import Struct

from consumers.notifier import bitrix24_plugin
from consumers.notifier.kept_connections import KeptConnections
from consumers.notifier.message_length import Room
from consumers.notifier.rendering import TargetMessage
from consumers.notifier.sender_threads import Threads
from consumers.notifier.service_formats import showing_of
from consumers.notifier.watched_exchange import Exchange, watched
from gateway.bitrix24.bbcode import Dialect
from gateway.errors import OperatorError
from gateway.network_fence import Fence

__all__ = ["SendOutcome", "Target", "quieten_apprise"]

_MAX_CONNECT_S: Final = 4.0
_SEAM: Final = 24
"""What Apprise puts around a title in a body, `<b></b><br />` and a line break, and some more."""
_OF_ANY_SERVER: Final = frozenset({"json", "jsons", "xml", "xmls", "form", "forms"})
"""Schemes of servers that Apprise knows nothing of: their whole path may be the secret."""
_AT_ONCE: Final = 16
"""Messages under way at once to a target without a rate of its own: 160/s if each takes 100 ms."""


class SendOutcome(Struct, frozen=True, kw_only=True):
    """What became of a message: accepted, or why not.

    `is_about_message` says that the target answered, and that it is this message that it refuses,
    as far as its answer tells: the same again will be refused again. `is_unsure` says that it may
    have been accepted: it was sent, and the answer did not come, or came of a proxy in its place.
    """

    is_accepted: bool
    is_about_message: bool = False
    is_unsure: bool = False
    reason: str = ""
    retry_after_s: float | None = None


class Target:
    """Delivers messages to one Apprise URL.

    `name` is what logs, metrics and keys call it. Raises OperatorError for a URL that cannot work,
    without showing it.
    """

    def __init__(self, url: str, *, name: str, key: str, timeout_s: float, fence: Fence) -> None:
        self.name = name
        self._fence = fence
        self._plugin = plugin_of(url, key=key)
        plugin = self._plugin
        if plugin.host and not self.member_id and not fence.allows_host(plugin.host):
            raise OperatorError(
                f"{key}: {plugin.host} is in a private network: "
                "allow it with [notifier] allow_private or allow_networks"
            )
        self._showing = showing_of(plugin)
        if plugin.socket_read_timeout == URLBase.socket_read_timeout:
            plugin.socket_read_timeout = timeout_s
        if plugin.socket_connect_timeout == URLBase.socket_connect_timeout:
            plugin.socket_connect_timeout = min(timeout_s, _MAX_CONNECT_S)
        rate_s = max(0.0, plugin.request_rate_per_sec)
        # Plugins with a rate sleep in their thread, and two at once would not see each other.
        self.at_once = 1 if rate_s else _AT_ONCE
        self.deadline_s = max(1, len(plugin)) * (
            plugin.socket_connect_timeout + plugin.socket_read_timeout + rate_s
        )
        self._of_thread = threading.local()
        self._connections = KeptConnections(self.at_once)
        self._threads = Threads(
            self.at_once, name=f"notify-{name}", at_rest=self._connections.close
        )

    @property
    def member_id(self) -> str:
        """The portal that the target is in; empty if it is in none."""
        is_inside = isinstance(self._plugin, bitrix24_plugin.NotifyBitrix24)
        return self._plugin.member_id if is_inside else ""

    def reach(self, portal: bitrix24_plugin.TargetPortal) -> None:
        """Send by this from now on, if the target is in a portal."""
        self._plugin.portal = portal

    @property
    def dialect(self) -> Dialect:
        """What the target shows."""
        return "bbcode" if self.member_id else self._showing.dialect

    @property
    def title_dialect(self) -> Dialect:
        """What it shows of a title."""
        return "bbcode" if self.member_id else self._showing.title_dialect

    @property
    def room(self) -> Room | None:
        """What the target takes, as Apprise knows it; None if the URL says what is too long.

        What Apprise does by itself with a message that is too long (`?overflow=`) is for whoever
        asks for it: it sends a title alone, or cuts much more than it has to.
        """
        plugin = self._plugin
        if "overflow_mode" in vars(plugin):
            return None
        body = max(1, int(plugin.body_maxlen))
        # A title that stands in the body leaves half of it at least to what it is about.
        title = int(plugin.title_maxlen) if plugin.title_maxlen > 0 else body // 2
        return Room(min(title, body // 2), body, self._size)

    def _size(self, title: str, body: str) -> int:
        """The characters that count, in UTF-16, by which no service counts less than another."""
        plugin, form = self._plugin, self._showing.form
        size = _units(plugin.dialect_convert(body, form))
        if title and (plugin.title_maxlen <= 0 or plugin.overflow_amalgamate_title):
            size += _units(plugin.dialect_convert(title, form)) + _SEAM
        return size

    @property
    def shown(self) -> str:
        """The URL with its secrets masked."""
        url = str(self._plugin.url(privacy=True)).partition("?")[0]
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}/***" if path and scheme in _OF_ANY_SERVER else url

    async def deliver(self, message: TargetMessage, *, message_id: str) -> SendOutcome:
        """Send a message; returns by the deadline at the latest, and does not raise.

        `message_id` is given to targets that can carry it: as the header `Idempotency-Key` of
        json://, xml://, form:// and of mails, as the tag of a notification in Bitrix24. Cancelling
        ends the wait, not a sending that has begun.
        """
        exchange = Exchange(self._fence, self._connections)
        try:
            async with asyncio.timeout(self.deadline_s):
                return await self._threads.run(partial(self._send, message, message_id, exchange))
        except TimeoutError:
            reason = f"no answer within {self.deadline_s:g} s"
            return SendOutcome(is_accepted=False, is_unsure=True, reason=reason)

    def close(self) -> None:
        """Close the connections that are kept; a message afterwards makes one anew."""
        self._connections.close()

    def _send(self, message: TargetMessage, message_id: str, exchange: Exchange) -> SendOutcome:
        # A plugin with a rate remembers when it last sent, and has one thread; others are copied,
        # because their headers differ for each message.
        plugin = self._plugin if self.at_once == 1 else copy.copy(self._plugin)
        _mark(plugin, message_id)
        apprise = self._apprise()
        apprise.add(plugin)
        with watched(exchange):
            result = apprise.notify(
                title=message.title, body=message.body, body_format=self._showing.form
            )
        if result:
            return SendOutcome(is_accepted=True)
        return SendOutcome(
            is_accepted=False,
            is_about_message=exchange.is_refused_content,
            is_unsure=exchange.is_unsure and not exchange.refused,
            reason=_reason(result, exchange),
            retry_after_s=exchange.retry_after_s,
        )

    def _apprise(self) -> Apprise:
        """An empty Apprise of this thread's: making one looks for its translations on the disk."""
        apprise: Apprise | None = getattr(self._of_thread, "apprise", None)
        if apprise is None:
            apprise = self._of_thread.apprise = Apprise(asset=self._plugin.asset)
        apprise.clear()
        return apprise


def quieten_apprise() -> None:
    """Keep Apprise's own lines, which know no event, out of the log; results carry them."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def plugin_of(url: str, *, key: str) -> NotifyBase:
    """What sends to this URL. Raises OperatorError, which names the setting `key`."""
    quieten_apprise()
    bitrix24_plugin.register()
    asset = AppriseAsset(
        app_id="Bitrix24 Event Gateway",
        app_desc="Bitrix24 Event Gateway",
        app_url="",
        async_mode=False,  # one plugin in a thread of ours: no pool below it
        service_timeout=0,
        http_redirects=False,  # a POST is not to be sent on to wherever an answer says
        interpret_emojis=False,
        interpret_escapes=False,
    )
    plugin = Apprise.instantiate(url, asset=asset)
    if plugin is None:
        scheme = url.partition("://")[0] if "://" in url else "no scheme"
        raise OperatorError(
            f"{key}: not a URL that Apprise can use ({scheme}); see docs/notifier.md"
        )
    return plugin


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _mark(plugin: NotifyBase, message_id: str) -> None:
    if isinstance(plugin, bitrix24_plugin.NotifyBitrix24):
        plugin.tag = message_id
    elif isinstance(headers := getattr(plugin, "headers", None), dict):
        plugin.headers = headers | {"Idempotency-Key": message_id}


def _reason(result: Any, exchange: Exchange) -> str:
    if exchange.refused:
        return "refused: the address is in a private network"
    entries = [
        entry.message for one in result.results for try_ in one.attempts for entry in try_.logs
    ]
    said = entries[-1] if entries else "not accepted"
    return f"HTTP {exchange.status}: {said}"[:300] if exchange.status else said[:300]
