"""Lists the events about work together: tasks, calendars and booking, users, workgroups, signing.

Of tasks: where there is nothing to say, the portal sends the word `undefined` in place of fields.
So the id of a task stands in what it was before, or in what it is after, or in both.

There is no event of a user who was changed or dismissed. Ids of signing are text.
"""

from typing import Final

from gateway.contract.catalogue.row_making import CHANGES, rows
from gateway.contract.event_type import EventType

__all__ = ["CALENDAR_EVENTS", "PEOPLE_EVENTS", "SIGNING_EVENTS", "TASK_EVENTS"]

_TASK_ID: Final = ("data[FIELDS_AFTER][ID]", "data[FIELDS_BEFORE][ID]")

TASK_EVENTS: Final[tuple[EventType, ...]] = (
    *rows(
        "onTask",
        CHANGES,
        scope="task",
        area="task",
        kind="task",
        page="tasks/events-tasks/on-task",
        id_places=_TASK_ID,
    ),
    # What is said in the chat of the new task card comes with the id 0, and that of the message.
    *rows(
        "onTaskComment",
        CHANGES,
        scope="task",
        area="task.comment",
        kind="task_comment",
        page="tasks/comment-item/events-comment/on-task-comment",
        id_places=_TASK_ID,
        other_subjects=(("task_message", "data[FIELDS_AFTER][MESSAGE_ID]"),),
    ),
)

_CALENDAR_ID: Final = ("data[id]",)
_BOOKING_ID: Final = ("data[ID]",)

CALENDAR_EVENTS: Final[tuple[EventType, ...]] = (
    *rows(
        "OnCalendarEntry",
        CHANGES,
        scope="calendar",
        area="calendar.entry",
        kind="calendar_entry",
        page="calendar/calendar-event/events/on-calendar-entry",
        id_places=_CALENDAR_ID,
    ),
    *rows(
        "OnCalendarSection",
        CHANGES,
        scope="calendar",
        area="calendar.section",
        kind="calendar_section",
        page="calendar/events/on-calendar-section",
        id_places=_CALENDAR_ID,
    ),
    # The reference does not have these; portals register them beside the others.
    *rows(
        "OnCalendarRoom",
        {"Create": "added", "Update": "updated", "Delete": "deleted"},
        scope="calendar",
        area="calendar.room",
        kind="calendar_room",
        page="",
        id_places=_CALENDAR_ID,
    ),
    *rows(
        "onBooking",
        CHANGES,
        scope="booking",
        area="booking",
        kind="booking",
        page="booking/booking/events/on-booking",
        id_places=_BOOKING_ID,
    ),
    *rows(
        "onBookingResource",
        CHANGES,
        scope="booking",
        area="booking.resource",
        kind="booking_resource",
        page="booking/resource/events/on-booking-resource",
        id_places=_BOOKING_ID,
    ),
    *rows(
        "onBookingResourceType",
        CHANGES,
        scope="booking",
        area="booking.resource_type",
        kind="booking_resource_type",
        page="booking/resource/resource-type/events/on-booking-resource-type",
        id_places=_BOOKING_ID,
    ),
    *rows(
        "onBookingWaitListItem",
        CHANGES,
        scope="booking",
        area="booking.waitlist_item",
        kind="booking_waitlist_item",
        page="booking/waitlist/events/on-booking-waitlistitem",
        id_places=_BOOKING_ID,
    ),
)

PEOPLE_EVENTS: Final[tuple[EventType, ...]] = (
    # `data` is the user as a whole, with name and mail, as far as the application's rights go.
    *rows(
        "onUser",
        {"Add": "added"},
        scope="user",
        area="user",
        kind="user",
        page="common/events/on-user",
        id_places=("data[ID]",),
    ),
    # Their pages name the right `sonet`; the list of rights has `sonet_group`, and so have portals.
    *rows(
        "onSonetGroup",
        CHANGES,
        scope="sonet_group",
        area="sonet.group",
        kind="workgroup",
        page="sonet-group/events/on-sonet-group",
    ),
    *rows(
        "onSonetGroupSubject",
        CHANGES,
        scope="sonet_group",
        area="sonet.group_subject",
        kind="workgroup_subject",
        page="sonet-group/outdated/on-sonet-group-subject",
    ),
    *rows(
        "OnLiveFeedPost",
        CHANGES,
        scope="log",
        area="log.post",
        kind="post",
        page="log/events/on-live-feed-post",
        id_places=("data[FIELDS][POST_ID]",),
    ),
    # Custom fields of whatever has them, CRM's too. The reference does not have these.
    *rows(
        "main.on.user.type.",
        {"add": "added", "update": "updated", "delete": "deleted"},
        scope="userfieldconfig",
        area="user_field",
        kind="user_field",
        page="",
    ),
)

_JOB_ID: Final = ("data[jobId]",)
_JOB_PAGE: Final = "sign/hcm-link/index.html"

SIGNING_EVENTS: Final[tuple[EventType, ...]] = (
    *rows(
        "OnSignB2eDocument",
        {"StatusChanged": "status_changed"},
        scope="sign.b2e",
        area="sign.document",
        kind="sign_document",
        page="sign/events/on-sign-b2e-document",
        id_places=("data[documentUid]",),
    ),
    *rows(
        "OnSignB2eMember",
        {"StatusChanged": "status_changed"},
        scope="sign.b2e",
        area="sign.member",
        kind="sign_member",
        page="sign/events/on-sign-b2e-member",
        id_places=("data[memberUid]",),
    ),
    # The id is a number of the member's, by which the signed document is asked for.
    *rows(
        "OnSignHcmLinkB2eDocument",
        {"Signed": "signed"},
        scope="sign.b2e",
        area="sign.hcmlink_document",
        kind="hcmlink_document",
        page="sign/events/on-sign-hcm-link-b2e-document",
        id_places=("data[id]",),
    ),
    *rows(
        "OnHumanResourcesHcmLink",
        {
            "EmployeeListRequested": "employees_requested",
            "EmployeeListMapped": "employees_mapped",
            "FieldValueRequested": "values_requested",
        },
        scope="humanresources.hcmlink",
        area="hcmlink.job",
        kind="hcmlink_job",
        page=_JOB_PAGE,
        id_places=_JOB_ID,
    ),
    *rows(
        "OnHumanResourcesHcmLink",
        {
            "PinRequested": "pin_requested",
            "SalaryVacationRequested": "salary_and_vacation_requested",
        },
        scope="humanresources.hcmlink",
        area="hcmlink.job",
        kind="hcmlink_job",
        page="sign/hcm-link/humanresources-hcmlink-job-status-get.html",
        id_places=_JOB_ID,
        is_confirmed=False,
    ),
)
