"""Knows what services make of what they are sent, where Apprise says otherwise.

Apprise knows which of its formats a plugin takes. It does not say that some services read Markdown
in whatever they are sent as text, nor that some have no escape for the signs of theirs, so that
Markdown with escapes shows its backslashes.
"""

from typing import Any, Final

from apprise import NotifyFormat
from apprise.plugins.base import NotifyBase
from msgspec import Struct

from gateway.bitrix24.bbcode import Dialect

__all__ = ["Showing", "showing_of"]


class Showing(Struct, frozen=True):
    """How a plugin is given what a service shows: what the body and the title are written in, and
    what Apprise is told that they are.
    """

    dialect: Dialect
    title_dialect: Dialect
    form: NotifyFormat


_MARKDOWN: Final[dict[str, Dialect]] = {
    "discord": "markdown",
    "fluxer": "markdown",
    "guilded": "markdown",
    "humhub": "markdown",
    "mmost": "markdown",
    "nctalk": "markdown",
    "notifiarr": "markdown",
    "ryver": "markdown",
    "schan": "text",
}
"""Services that read Markdown, with its escapes, in what they are sent as text; and what they read
in the title.

https://docs.discord.com/developers/resources/message
https://docs.mattermost.com/collaborate/format-messages.html
https://docs.nextcloud.com/server/latest/user_manual/en/talk/talk_basics.html
https://sct.ftqq.com/sendkey
"""
_FORMS: Final[dict[str, NotifyFormat]] = {
    # mrkdwn has no escape: https://github.com/slackhq/slack-api-docs/issues/34
    "slack": NotifyFormat.TEXT,
    # nor has Google Chat: https://developers.google.com/workspace/chat/format-messages
    "gchat": NotifyFormat.TEXT,
    # Its first Markdown has an escape for four signs, its second one refuses a message for each
    # sign without: https://core.telegram.org/bots/api#formatting-options
    "tgram": NotifyFormat.HTML,
}
"""The one format in which a service shows a text as it is, whatever the URL asks for."""
_DIALECTS: Final[dict[NotifyFormat, Dialect]] = {
    NotifyFormat.TEXT: "text",
    NotifyFormat.MARKDOWN: "markdown",
    NotifyFormat.HTML: "html",
}


def showing_of(plugin: NotifyBase) -> Showing:
    """How to write for the service of this plugin, which is set to take it so."""
    names = _names(plugin)
    forced = next((_FORMS[name] for name in sorted(names) if name in _FORMS), None)
    if forced is not None:
        plugin.notify_format = forced
    title_dialect = next((_MARKDOWN[name] for name in sorted(names) if name in _MARKDOWN), None)
    if title_dialect is not None:
        # A plugin that takes text only has the Markdown passed on as it is.
        form = plugin.resolve_format(NotifyFormat.MARKDOWN)
        return Showing("markdown", title_dialect, form)
    form = plugin.resolve_format(None)
    dialect = _DIALECTS[form]
    # A title of its own is never formatted: it is a subject, or a line in bold.
    return Showing(dialect, dialect if plugin.title_maxlen <= 0 else "text", form)


def _names(plugin: NotifyBase) -> set[str]:
    """The schemes of the plugin's URLs, without the `s` of those over TLS."""

    def listed(value: Any) -> tuple[str, ...]:
        return (value,) if isinstance(value, str) else tuple(value or ())

    plain, secure = listed(plugin.protocol), listed(plugin.secure_protocol)
    return {*plain, *secure, *(name.removesuffix("s") for name in secure)}
