"""Reads BB-code: its known tags, and the tree that they make. What is not closed ends with its
surroundings; what closes nothing is left out.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

__all__ = ["ALONE", "Node", "Tag", "parsed", "tags", "with_brackets", "with_emoji"]

# Arguments are bounded and possessive: otherwise the time that a text takes which opens tags and
# closes none would grow with the square of its length.
_TAG: Final = re.compile(
    r"\[(/?)([a-z*]+)(?:=([^\]]{0,2000}+)|\s([^\]]{0,2000}+))?\]", re.IGNORECASE
)
_KNOWN: Final = frozenset(
    {"b", "i", "u", "s", "del", "color", "size", "font", "spoiler", "background"}
    | {"left", "right", "center", "justify", "p", "br", "quote", "code", "list", "*"}
    | {"url", "user", "project", "department", "img", "video", "disk", "file"}
    | {"table", "tr", "td", "th"}
)
ALONE: Final = frozenset({"*", "br", "disk", "file"})
"""Tags that nothing stands in, and that nothing closes."""
# Bitrix24 stores characters of four bytes (emoji) as their UTF-8 in hex between colons.
_ENCODED: Final = re.compile(r":(f0[89ab][0-9a-f]{5}|f[1-4][89ab][0-9a-f]{5}):")
# The editors write the brackets that somebody typed so; no other entity stands for anything.
_BRACKET: Final = re.compile(r"&#9([13]);")
_MAX_DEPTH: Final = 32
"""Deeper nesting is a mistake or an attack; its tags are left out, its text is not."""


class Tag(Struct, frozen=True):
    """A known tag, its name in small letters, and where it stands in the source."""

    name: str
    argument: str
    closes: bool
    begin: int
    end: int


class Node(Struct):
    """A tag with what stands in it; the root has no name."""

    name: str
    argument: str = ""
    children: "list[Node | str]" = []

    @property
    def address(self) -> str:
        """The address that stands in a tag such as `[img]`; empty if a tag stands in it."""
        if any(isinstance(child, Node) for child in self.children):
            return ""
        return with_brackets("".join(map(str, self.children)).strip())


def tags(source: str) -> Iterator[Tag]:
    """The known tags in their order; those within `[code]` are none."""
    is_in_code = False
    for found in _TAG.finditer(source):
        name, closes = found[2].lower(), bool(found[1])
        if name not in _KNOWN or (is_in_code and not (closes and name == "code")):
            continue
        if name == "code":
            is_in_code = not closes
        argument = with_brackets((found[3] or found[4] or "").strip("\"' "))
        yield Tag(name, argument, closes, found.start(), found.end())


def parsed(source: str) -> Node:
    """The tree of known tags."""
    root = Node("", children=[])
    open_nodes = [root]
    position = 0
    for tag in tags(source):
        open_nodes[-1].children.append(source[position : tag.begin])
        position = tag.end
        if tag.closes:
            depth = next(
                (i for i in range(len(open_nodes) - 1, 0, -1) if open_nodes[i].name == tag.name), 0
            )
            if depth:
                del open_nodes[depth:]
            continue
        node = Node(tag.name, tag.argument, [])
        open_nodes[-1].children.append(node)
        if tag.name not in ALONE and len(open_nodes) < _MAX_DEPTH:
            open_nodes.append(node)
    open_nodes[-1].children.append(source[position:])
    return root


def with_brackets(text: str) -> str:
    """The text of a node, or a tag's argument, with the brackets that somebody typed into it."""
    return _BRACKET.sub(lambda found: "[" if found[1] == "1" else "]", text)


def with_emoji(source: str) -> str:
    """The same with the characters in it that Bitrix24 has written in hex."""
    return _ENCODED.sub(_decoded, source)


def _decoded(code: re.Match[str]) -> str:
    try:
        return bytes.fromhex(code[1]).decode()
    except UnicodeDecodeError:
        return code[0]
