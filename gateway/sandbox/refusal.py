"""Defines what a portal answers to a change that it does not make."""

__all__ = ["Refusal"]


class Refusal(Exception):
    """A change that the portal does not make; the text is its code, as in REST."""
