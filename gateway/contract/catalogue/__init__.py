"""Lists every event that Bitrix24 documents for applications and webhooks, one row each, by area.

What a row says was read out of the public reference (https://apidocs.bitrix24.com/) and out of what
portals run and send; where these differ, a comment says how. There are none about disks, lists and
business processes: Bitrix24 has no such events for applications.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Final

from gateway.contract.catalogue.application_events import APPLICATION_EVENTS
from gateway.contract.catalogue.communication_events import CALL_EVENTS, CHAT_EVENTS
from gateway.contract.catalogue.crm_object_events import CRM_OBJECT_EVENTS
from gateway.contract.catalogue.crm_setting_events import CRM_SETTING_EVENTS
from gateway.contract.catalogue.shop_events import SHOP_EVENTS
from gateway.contract.catalogue.teamwork_events import (
    CALENDAR_EVENTS,
    PEOPLE_EVENTS,
    SIGNING_EVENTS,
    TASK_EVENTS,
)
from gateway.contract.event_type import EventType

__all__ = ["AREAS", "CATALOGUE"]

AREAS: Final[Mapping[str, tuple[EventType, ...]]] = {
    "CRM": CRM_OBJECT_EVENTS,
    "How CRM is set up": CRM_SETTING_EVENTS,
    "Tasks": TASK_EVENTS,
    "Chats, bots and open lines": CHAT_EVENTS,
    "Telephony": CALL_EVENTS,
    "Calendar and booking": CALENDAR_EVENTS,
    "Shop and goods": SHOP_EVENTS,
    "Users, workgroups and the news feed": PEOPLE_EVENTS,
    "Signing and personnel": SIGNING_EVENTS,
    "The application": APPLICATION_EVENTS,
}
"""The rows by area, as the page about events has them."""

CATALOGUE: Final[tuple[EventType, ...]] = tuple(chain.from_iterable(AREAS.values()))
"""All rows. Those of one kind of subject are in the order in which they can happen to it."""
