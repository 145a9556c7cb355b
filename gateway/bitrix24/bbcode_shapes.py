"""Says what each tag looks like in each dialect, around what stands in it."""

import re
from collections.abc import Callable
from html import escape
from typing import Final

from gateway.bitrix24.bbcode_tree import Node, with_brackets
from gateway.bitrix24.escaping import Dialect, broken, escaped, in_destination

__all__ = ["SHAPES", "code", "indented", "quoted"]

Shape = Callable[[str, Node, Dialect], str]
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"]+")


def code(node: Node, dialect: Dialect) -> str:
    """Code as it was typed, in lines of its own."""
    text = with_brackets("".join(child for child in node.children if isinstance(child, str)))
    text = text.strip("\n")
    if dialect == "html":
        return f"<pre>{escaped(text, dialect)}</pre>"
    if dialect == "markdown":
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
        return f"\n{fence}\n{broken(text)}\n{fence}\n"
    return f"\n{text if dialect == 'plain' else broken(text)}\n"


def quoted(inner: str, dialect: Dialect) -> str:
    """A quote."""
    if dialect == "html":
        return f"<blockquote>{inner}</blockquote>"
    return "\n" + "\n".join(f"> {line}".rstrip() for line in inner.split("\n")) + "\n\n"


def indented(text: str, width: int) -> str:
    """An item of a list, whose lines but the first stand below its text."""
    return text.replace("\n", "\n" + " " * width)


def _marked(markdown: str, html: str) -> Shape:
    def shape(inner: str, _node: Node, dialect: Dialect) -> str:
        if not inner.strip():
            return inner
        if dialect == "html":
            return f"<{html}>{inner}</{html}>"
        if dialect == "markdown":
            # Markdown wants its signs next to the words.
            begin = inner[: len(inner) - len(inner.lstrip())]
            end = inner[len(inner.rstrip()) :]
            return f"{begin}{markdown}{inner.strip()}{markdown}{end}"
        return inner

    return shape


def _link(inner: str, node: Node, dialect: Dialect) -> str:
    return _linked(inner, node.argument or node.address, dialect, has_name=bool(node.argument))


def _linked(inner: str, address: str, dialect: Dialect, *, has_name: bool) -> str:
    if not _ADDRESS.fullmatch(address):
        return inner
    if dialect == "html":
        return f'<a href="{escape(address)}">{inner or escape(address)}</a>'
    if dialect == "markdown":
        target = in_destination(address)
        return f"[{inner}]({target})" if has_name and inner else f"<{target}>"
    shown = address if dialect == "plain" else escaped(address, dialect)
    return f"{inner} ({shown})" if has_name and inner not in {"", address} else shown


def _media(_inner: str, node: Node, dialect: Dialect) -> str:
    return _linked(
        escaped(node.address, dialect, in_link=True), node.address, dialect, has_name=False
    )


def _item(_inner: str, _node: Node, dialect: Dialect) -> str:
    return "\n- " if dialect == "markdown" else "\n• "


def _line(_inner: str, _node: Node, _dialect: Dialect) -> str:
    return "\n"


def _block(inner: str, _node: Node, _dialect: Dialect) -> str:
    return f"\n{inner.strip()}\n"


def _file(_inner: str, _node: Node, _dialect: Dialect) -> str:
    return ""  # files are named by the template, from the comment's own list


SHAPES: Final[dict[str, Shape]] = {
    "b": _marked("**", "b"),
    "i": _marked("_", "i"),
    "s": _marked("~~", "s"),
    "del": _marked("~~", "s"),
    "url": _link,
    "img": _media,
    "video": _media,
    "*": _item,  # outside of a list
    "br": _line,
    "p": _block,
    "disk": _file,
    "file": _file,
}
