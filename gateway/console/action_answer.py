"""Defines what a change answers: what was done, or what would be, until it is confirmed."""

from collections.abc import Mapping

from msgspec import Struct

from gateway.operator_record import OperatorAction

__all__ = ["ActionAnswer"]


class ActionAnswer(Struct, frozen=True, kw_only=True):
    """What became of a wish to change something.

    Unless `is_done`, nothing was changed yet: `count` is to how many it would be, more if
    `is_more`, and the same with the field `confirmed` does it. Done, `count` is to how many it was;
    `is_more`: there was no time for all, and the same again goes on. `again` are fields
    that are to be what they were. `error` is why it ended early, and `not_recorded` why what was
    done may not be in the audit log. `is_estimate`: it may be fewer. `group` is empty where it is
    about none.
    """

    action: OperatorAction
    group: str = ""
    is_done: bool
    count: int
    is_more: bool = False
    is_estimate: bool = False
    selection: str = ""
    again: Mapping[str, str] = {}
    error: str | None = None
    not_recorded: str | None = None
