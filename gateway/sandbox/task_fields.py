"""Knows the fields of tasks: names in capitals, in the order of answers, and what new ones have.

https://apidocs.bitrix24.com/api-reference/tasks/fields.html
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.sandbox.entities import PortalEntity
from gateway.sandbox.json_answers import iso

__all__ = ["CUSTOM_TASK_FIELDS", "TASK_FIELDS", "task_value"]

CUSTOM_TASK_FIELDS: Final = ("UF_CRM_TASK", "UF_TASK_WEBDAV_FILES", "UF_MAIL_MESSAGE")
"""Those that no answer has unless it is asked for them."""

TASK_FIELDS: Final[Mapping[str, Any]] = {
    "ID": None,
    "PARENT_ID": None,
    "TITLE": "",
    "DESCRIPTION": "",
    "MARK": None,
    "PRIORITY": "1",
    "MULTITASK": "N",
    "NOT_VIEWED": "N",
    "REPLICATE": "N",
    "STAGE_ID": "0",
    "CREATED_BY": None,
    "CREATED_DATE": None,
    "RESPONSIBLE_ID": "1",
    "CHANGED_BY": None,
    "CHANGED_DATE": None,
    "STATUS_CHANGED_BY": None,
    "CLOSED_BY": None,
    "CLOSED_DATE": None,
    "ACTIVITY_DATE": None,
    "DATE_START": None,
    "DEADLINE": None,
    "START_DATE_PLAN": None,
    "END_DATE_PLAN": None,
    "XML_ID": None,
    "COMMENTS_COUNT": None,
    "ALLOW_CHANGE_DEADLINE": "N",
    "ALLOW_TIME_TRACKING": "N",
    "TASK_CONTROL": "N",
    "ADD_IN_REPORT": "N",
    "TIME_ESTIMATE": "0",
    "MATCH_WORK_TIME": "N",
    "SITE_ID": "s1",
    "CHAT_ID": None,
    "VIEWED_DATE": None,
    "FLOW_ID": None,
    "DESCRIPTION_IN_BBCODE": "Y",
    "STATUS": "2",
    "DURATION_TYPE": "days",
    "FAVORITE": "N",
    "GROUP_ID": "0",
    "AUDITORS": [],
    "ACCOMPLICES": [],
    **dict.fromkeys(CUSTOM_TASK_FIELDS, False),
}

_TOLD_BY: Final[Mapping[str, str]] = {
    "ID": "id",
    "CREATED_BY": "created_by",
    "CREATED_DATE": "created_at",
    "CHANGED_BY": "changed_by",
    "CHANGED_DATE": "changed_at",
    "ACTIVITY_DATE": "changed_at",
}
"""By what of the task the fields are told that nobody writes."""


def task_value(task: PortalEntity, name: str) -> Any:
    """A field's value as answers have it: text, a list, or null."""
    if name not in _TOLD_BY:
        value = task.fields.get(name)
        return value if value is None or isinstance(value, list | bool) else str(value)
    value = getattr(task, _TOLD_BY[name])
    return iso(value) if name.endswith("_DATE") else str(value)
