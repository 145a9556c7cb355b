"""Lists the events about the application itself, which only its own handlers get.

They are not asked of the offline queue, which ends with the application.
"""

from typing import Final

from gateway.contract.catalogue.row_making import rows
from gateway.contract.event_subject import APP_SUBJECT
from gateway.contract.event_type import EventType

__all__ = ["APPLICATION_EVENTS"]

APPLICATION_EVENTS: Final[tuple[EventType, ...]] = (
    *rows(
        "onApp",
        {"Install": "installed", "Uninstall": "uninstalled"},
        scope="",
        area="app",
        kind=APP_SUBJECT,
        page="common/events/on-app",
        id_places=(),
        is_queued_offline=False,
    ),
    EventType(
        documented_name="onAppTest",
        type="bitrix24.app.tested",
        subject_kind=APP_SUBJECT,
        id_places=(),
        scope="",
        page="api-reference/events/test-handler.html",
    ),
    *rows(
        "onApp",
        {"Update": "updated"},
        scope="",
        area="app.version",
        kind="app_version",
        page="common/events/on-app",
        id_places=(),
        is_queued_offline=False,
    ),
    *rows(
        "onApp",
        {"Payment": "received"},
        scope="",
        area="app.payment",
        kind="app_payment",
        page="common/events/on-app",
        id_places=(),
        is_queued_offline=False,
    ),
    # Beside the method's name there is `data[TOKEN]`, which confirms the call: a secret.
    *rows(
        "onApp",
        {"MethodConfirm": "confirmed"},
        scope="",
        area="app.method",
        kind="app_method",
        page="common/events/on-app",
        id_places=("data[METHOD]",),
        is_queued_offline=False,
    ),
    # The reference does not have it; portals register it beside the others.
    *rows(
        "onSubscription",
        {"Renew": "renewed"},
        scope="",
        area="app.subscription",
        kind="app_subscription",
        page="",
        id_places=(),
        is_queued_offline=False,
    ),
)
