"""Carries out `im.*`, as far as it tells somebody something.

https://apidocs.bitrix24.com/api-reference/chats/notifications/im-notify-system-add.html
https://apidocs.bitrix24.com/api-reference/chats/messages/im-message-add.html
"""

import re
from typing import Final

from gateway.sandbox.call_results import RestError
from gateway.sandbox.calls import Call, Method

__all__ = ["CHAT_METHODS"]

_DIALOG: Final = re.compile(r"(?:chat|sg)?[1-9][0-9]*")


def _notify(call: Call) -> int:
    # Tags are an application's own; a webhook has to say whose its are.
    owner = call.caller.client_id or call.text("client_id")
    if not owner:
        raise RestError(403, "ACCESS_DENIED", "Client ID not specified")
    user_id, text = call.number("user_id"), call.text("message").strip()
    if not user_id:
        raise RestError(400, "USER_ID_EMPTY", "User ID can't be empty")
    if not text:
        raise RestError(400, "MESSAGE_EMPTY", "Message can't be empty")
    tag = call.text("tag")
    return call.portal.chat.notify(user_id, text, tag=tag and f"{owner}|{tag}").id


def _say(call: Call) -> int:
    dialog_id, text = call.text("dialog_id"), call.text("message").strip()
    if not _DIALOG.fullmatch(dialog_id):
        raise RestError(400, "DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    if not text:
        raise RestError(400, "MESSAGE_EMPTY", "Message can't be empty")
    return call.portal.chat.say(dialog_id, text).id


CHAT_METHODS: Final[dict[str, Method]] = {
    "im.message.add": _say,
    "im.notify.system.add": _notify,
}
