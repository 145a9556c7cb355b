"""Marks a text of a portal as BB-code, so that templates show it in the target's dialect."""

__all__ = ["BBCode"]


class BBCode(str):
    """A text as it stands in the portal: of a comment, or of a task."""

    __slots__ = ()
