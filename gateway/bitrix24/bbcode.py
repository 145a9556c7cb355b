"""Renders Bitrix24's BB-code as plain text, Markdown or HTML; no I/O.

The tags are those of the CRM's comments: https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/
and those that the portals' editors write there besides. Everything that is not a known tag is text,
and text is escaped for what shows it: a comment cannot format, link or call for attention
(`@everyone`) beyond what its own tags say.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.bitrix24.bbcode_shapes import SHAPES, code, indented, quoted
from gateway.bitrix24.bbcode_tree import Node, parsed, tags, with_brackets, with_emoji
from gateway.bitrix24.escaping import Dialect, escaped

__all__ = ["Dialect", "escaped", "rendered", "with_emoji"]

_BLANK_LINES: Final = re.compile(r"\n{3,}")
_LEVELS: Final = (4, 2, 1, 0)
"""How many levels of quotes and lists are shown as such: deeper ones are shown as what stands in
them. What makes a text longer by its nesting is tried with fewer."""
_ID: Final = re.compile(r"\d+")


def rendered(source: str, dialect: Dialect) -> str:
    """A comment's text as `dialect` shows it; takes a time that grows with the text's length.

    `plain` is never more than twice as long as the source, however quotes and lists are nested.
    """
    source = with_emoji(source.replace("\r\n", "\n"))
    if dialect == "bbcode":
        return _of_known_tags(source)
    tree = parsed(source)
    for levels in _LEVELS:
        text = "".join(_Rendering(dialect, levels).pieces(tree.children))
        text = _BLANK_LINES.sub("\n\n", text).strip()
        if dialect != "plain" or len(text) <= 2 * len(source):
            break
    return text


def _of_known_tags(source: str) -> str:
    """The same with nothing in it that means something in a portal's chats alone.

    Known tags stay; others, and what mentions everybody at once, become text.
    """
    parts: list[str] = []
    position = 0
    is_in_code = False
    for tag in tags(source):
        text = source[position : tag.begin]
        is_meant = tag.name != "user" or tag.closes or _ID.fullmatch(tag.argument)
        parts += (
            text if is_in_code else escaped(text, "bbcode"),
            source[tag.begin : tag.end] if is_meant else "",
        )
        if tag.name == "code":
            is_in_code = not tag.closes
        position = tag.end
    parts.append(escaped(source[position:], "bbcode"))
    return "".join(parts)


class _Rendering:
    """The tree in one dialect, with so many levels of quotes and lists."""

    def __init__(self, dialect: Dialect, levels: int) -> None:
        self._dialect = dialect
        self._levels = levels
        self._quotes = 0
        self._lists = 0
        self._links = 0

    def pieces(self, children: "Iterable[Node | str]") -> Iterator[str]:
        for child in children:
            if isinstance(child, str):
                yield escaped(with_brackets(child), self._dialect, in_link=self._links > 0)
            elif child.name == "code":
                yield code(child, self._dialect)
            elif child.name == "quote":
                yield self._quote(child)
            elif child.name == "list":
                yield self._list(child)
            elif child.name in {"table", "tr"}:
                yield self._table(child)
            else:
                self._links += child.name == "url"
                inner = "".join(self.pieces(child.children))
                self._links -= child.name == "url"
                shape = SHAPES.get(child.name)
                yield inner if shape is None else shape(inner, child, self._dialect)

    def _quote(self, node: Node) -> str:
        self._quotes += 1
        inner = _BLANK_LINES.sub("\n\n", "".join(self.pieces(node.children)).strip())
        is_shown = self._quotes <= self._levels
        self._quotes -= 1
        return quoted(inner, self._dialect) if is_shown else f"\n{inner}\n"

    def _list(self, node: Node) -> str:
        """The items, one below the other; `[list=1]` counts them."""
        items: list[list[Node | str]] = [[]]
        for child in node.children:
            if isinstance(child, Node) and child.name == "*":
                items.append([])
            else:
                items[-1].append(child)
        self._lists += 1
        before, *texts = ("".join(self.pieces(item)).strip() for item in items)
        is_shown = self._lists <= self._levels
        self._lists -= 1
        lines = [before] if before else []
        for number, text in enumerate(texts, 1):
            mark = f"{number}. " if node.argument == "1" and is_shown else _bullet(self._dialect)
            lines.append(mark + (indented(text, len(mark)) if is_shown else text))
        return "\n" + "\n".join(lines) + "\n"

    def _table(self, node: Node) -> str:
        """Rows below each other, cells beside each other, however the editor has broken lines."""
        parts = [part.strip() for part in self.pieces(node.children)]
        if node.name == "tr":
            return "  ".join(part.replace("\n", " ") for part in parts if part)
        return "\n" + "\n".join(part for part in parts if part) + "\n"


def _bullet(dialect: Dialect) -> str:
    return "- " if dialect == "markdown" else "• "
