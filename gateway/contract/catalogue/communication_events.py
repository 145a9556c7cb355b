"""Lists the events about talk: chats with bots, open lines and their connectors, telephone calls.

Bots and connectors only get what is meant for those of the application. The events of a bot carry
tokens of the bot inside `data`, in every one of its forms. Ids of dialogs and calls are text:
`chat17`, `externalCall.89350264e026dace.1773236989`.

The events `onImV2…` are not among these: an application asks for them, and no handler gets them.
"""

from typing import Final

from gateway.contract.catalogue.row_making import CHANGES, rows
from gateway.contract.event_type import EventType

__all__ = ["CALL_EVENTS", "CHAT_EVENTS"]

_BOT_V2_PAGE: Final = "chat-bots/chat-bots-v2/imbot.v2/events/events.html"
_DIALOG: Final = ("data[PARAMS][DIALOG_ID]",)
_V2_MESSAGE: Final = ("data[message][id]",)
_V2_DIALOG: Final = ("data[dialogId]",)
# What comes of a connector is a list of one; what the open lines tell of it mostly is not.
_LINE_MESSAGE: Final = (
    "data[DATA][im][message_id]",
    "data[DATA][0][im][message_id]",
    "data[DATA][message][id]",
    "data[DATA][0][message][id]",
)
_LINE_CHAT: Final = ("data[DATA][connector][chat_id]", "data[DATA][0][connector][chat_id]")
_SESSION_CHANGES: Final = {"Start": "started", "Finish": "finished"}

CHAT_EVENTS: Final[tuple[EventType, ...]] = (
    *rows(
        "onImBotMessage",
        CHANGES,
        scope="imbot",
        area="imbot.message",
        kind="bot_message",
        page="chat-bots/outdated/messages/events/on-imbot-message",
        id_places=("data[PARAMS][MESSAGE_ID]", "data[PARAMS][ID]"),
    ),
    # The subject is the message in which the command was given.
    *rows(
        "onImCommand",
        {"Add": "command_given"},
        scope="imbot",
        area="imbot.message",
        kind="bot_message",
        page="chat-bots/outdated/commands/events/on-im-command",
        id_places=("data[PARAMS][MESSAGE_ID]",),
    ),
    *rows(
        "onImBot",
        {"JoinChat": "joined"},
        scope="imbot",
        area="imbot.dialog",
        kind="bot_dialog",
        page="chat-bots/outdated/chats/events/on-imbot",
        id_places=_DIALOG,
    ),
    *rows(
        "onImBot",
        {"ContextGet": "context_given"},
        scope="imbot",
        area="imbot.dialog",
        kind="bot_dialog",
        page="chat-bots/chat-bots-v2/migration.html",
        id_places=_DIALOG,
    ),
    *rows(
        "onImBot",
        {"Delete": "deleted"},
        scope="imbot",
        area="imbot.bot",
        kind="bot",
        page="chat-bots/outdated/events/on-imbot",
        id_places=("data[BOT_ID]",),
    ),
    *rows(
        "onImBotV2Message",
        CHANGES,
        scope="imbot",
        area="imbot.v2.message",
        kind="bot_v2_message",
        page=_BOT_V2_PAGE,
        id_places=(*_V2_MESSAGE, "data[messageId]"),
    ),
    *rows(
        "onImBotV2",
        {"CommandAdd": "command_given", "ReactionChange": "reaction_changed"},
        scope="imbot",
        area="imbot.v2.message",
        kind="bot_v2_message",
        page=_BOT_V2_PAGE,
        id_places=_V2_MESSAGE,
    ),
    *rows(
        "onImBotV2",
        {"JoinChat": "joined", "ContextGet": "context_given"},
        scope="imbot",
        area="imbot.v2.dialog",
        kind="bot_v2_dialog",
        page=_BOT_V2_PAGE,
        id_places=_V2_DIALOG,
    ),
    *rows(
        "onImBotV2",
        {"Delete": "deleted"},
        scope="imbot",
        area="imbot.v2.bot",
        kind="bot_v2",
        page=_BOT_V2_PAGE,
        id_places=("data[bot][id]",),
    ),
    # Of what a customer wrote, `[message][id]` is the connector's, and may be text.
    *rows(
        "OnOpenLineMessage",
        CHANGES,
        scope="imopenlines",
        area="imopenlines.message",
        kind="open_line_message",
        page="imopenlines/openlines/events/on-open-line-message",
        id_places=_LINE_MESSAGE,
    ),
    # The reference shows the session's own id; what is sent has the chat's alone.
    *rows(
        "OnSession",
        _SESSION_CHANGES,
        scope="imopenlines",
        area="imopenlines.session",
        kind="open_line_chat",
        page="imopenlines/openlines/events/on-session",
        id_places=_LINE_CHAT,
    ),
    *rows(
        "OnImConnectorMessage",
        CHANGES,
        scope="imconnector",
        area="imconnector.message",
        kind="connector_message",
        page="imopenlines/imconnector/events/on-im-connector-message",
        id_places=("data[MESSAGES][0][im][message_id]",),
    ),
    *rows(
        "OnImConnectorDialog",
        _SESSION_CHANGES,
        scope="imconnector",
        area="imconnector.session",
        kind="connector_session",
        page="imopenlines/imconnector/events/on-im-connector-dialog",
        id_places=("data[DATA][0][session][id]",),
    ),
    *rows(
        "OnImConnectorStatus",
        {"Delete": "disconnected"},
        scope="imconnector",
        area="imconnector.line",
        kind="connector_line",
        page="imopenlines/imconnector/events/on-im-connector-status",
        id_places=("data[line]",),
    ),
    # Its `data` is no array but the line's number.
    *rows(
        "OnImConnectorLine",
        {"Delete": "deleted"},
        scope="imconnector",
        area="imconnector.line",
        kind="connector_line",
        page="imopenlines/imconnector/events/on-im-connector-line",
        id_places=("data",),
    ),
)

_CALL_ID: Final = ("data[CALL_ID]",)

CALL_EVENTS: Final[tuple[EventType, ...]] = (
    # Somebody pressed a number: the application is to call it.
    *rows(
        "OnExternalCall",
        {"Start": "requested"},
        scope="telephony",
        area="telephony.call",
        kind="call",
        page="telephony/events/on-external-call",
        id_places=_CALL_ID,
    ),
    *rows(
        "OnVoximplantCall",
        {"Init": "initiated", "Start": "started", "End": "ended"},
        scope="telephony",
        area="telephony.call",
        kind="call",
        page="telephony/voximplant/events/on-voximplant-call",
        id_places=_CALL_ID,
    ),
    # A customer wants to be called back; no call has begun that could have an id.
    *rows(
        "OnExternalCallBack",
        {"Start": "requested"},
        scope="telephony",
        area="telephony.callback",
        kind="callback",
        page="telephony/events/on-external-call-back",
        id_places=(),
    ),
)
