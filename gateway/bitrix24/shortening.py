"""Makes BB-code shorter without taking its tags apart; no I/O."""

import re
from typing import Final

from gateway.bitrix24.bbcode_tree import ALONE, tags, with_emoji

__all__ = ["cut", "shortened"]

_SIGN: Final = "…"
_LONG_WORD: Final = 40
"""A word of more letters than this is cut in itself: it may be all there is."""
_ADDRESSES: Final = frozenset({"url", "img", "video"})
"""Tags in which an address may stand, which is worth nothing in part."""
_PART_OF_BRACKET: Final = re.compile(r"&(?:#(?:9[13]?)?)?$")


def shortened(source: str, length: int) -> str:
    """The same comment with at most `length` characters of text, and a sign that it was cut.

    It is cut between words, and what is open there is closed. Tags do not count.
    """
    source = with_emoji(source)
    open_tags: list[tuple[str, int]] = []
    left = length
    position = 0
    for tag in tags(source):
        if tag.begin - position > left:
            break
        left -= tag.begin - position
        position = tag.end
        if not tag.closes and tag.name not in ALONE:
            open_tags.append((tag.name, tag.begin))
        elif tag.closes and any(name == tag.name for name, _ in open_tags):
            while open_tags.pop()[0] != tag.name:
                pass
    if len(source) - position <= left:
        return source
    head = _between_words(source[position : position + left + 1], left)
    if open_tags and open_tags[-1][0] in _ADDRESSES:
        before, position = source[: open_tags[-1][1]], open_tags[-1][1]
        open_tags.pop()
        head = ""
    else:
        before = source[:position]
    closing = "".join(f"[/{name}]" for name, _ in reversed(open_tags))
    return f"{before}{head.rstrip()}{_SIGN}{closing}"


def cut(text: str, length: int) -> str:
    """A plain text of at most `length` characters, cut between words with a sign that it was."""
    if len(text) <= length:
        return text
    return f"{_between_words(text, length - 1).rstrip()}{_SIGN}" if length > 0 else ""


def _between_words(text: str, length: int) -> str:
    """The first words of a text that is longer than `length`."""
    head = text[:length]
    if not head or text[length].isspace():
        return head
    words = re.sub(r"\S+$", "", head)
    if length - len(words) > _LONG_WORD:
        return _PART_OF_BRACKET.sub("", head)
    return words
