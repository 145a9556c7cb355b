"""Bitrix24's BB-code as plain text, Markdown or HTML; no I/O.

The tags are those of the CRM's comments: https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/
Everything that is not a known tag is text, and text is escaped for what shows it: a comment cannot
format, link or call for attention (`@everyone`) beyond what its own tags say.
"""

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Final, Literal

from msgspec import Struct

__all__ = ["Dialect", "escaped", "rendered", "with_emoji"]

Dialect = Literal["plain", "text", "markdown", "html", "bbcode"]
"""`text` is for people: no word of it calls for attention. `plain` is for programs: the same words,
exactly as they are."""

# Arguments are bounded and possessive: otherwise the time that a text takes which opens tags and
# closes none would grow with the square of its length.
_TAG: Final = re.compile(
    r"\[(/?)([a-z*]+)(?:=([^\]]{0,2000}+)|\s([^\]]{0,2000}+))?\]", re.IGNORECASE
)
_KNOWN: Final = frozenset(
    {"b", "i", "u", "s", "del", "color", "size", "font", "spoiler", "background"}
    | {"left", "right", "center", "justify", "p", "br", "quote", "code", "list", "*"}
    | {"url", "user", "img", "disk", "table", "tr", "td", "th"}
)
_ALONE: Final = frozenset({"*", "br", "disk"})
# Bitrix24 stores characters of four bytes (emoji) as their UTF-8 in hex between colons.
_ENCODED: Final = re.compile(r":(f0[89ab][0-9a-f]{5}|f[1-4][89ab][0-9a-f]{5}):")
_CALL: Final = re.compile(r"@(?=everyone|here|channel|all\b)", re.IGNORECASE)
_MARKDOWN_SIGNS: Final = re.compile(
    r"([\\`*_{}\[\]<>|~]|^\s{0,3}(?=[#+>-])|(?<=^)\d+(?=[.)]))", re.MULTILINE
)
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_MAX_DEPTH: Final = 32
"""Deeper nesting is a mistake or an attack; its tags are left out, its text is not."""


class _Node(Struct):
    """A tag with what stands in it; the root has no name."""

    name: str
    argument: str = ""
    children: "list[_Node | str]" = []


def rendered(source: str, dialect: Dialect) -> str:
    """A comment's text as `dialect` shows it."""
    source = with_emoji(source.replace("\r\n", "\n"))
    if dialect == "bbcode":
        return source
    text = "".join(_pieces(_parsed(source), dialect))
    return _BLANK_LINES.sub("\n\n", text).strip()


def with_emoji(source: str) -> str:
    """The same with the characters in it that Bitrix24 has written in hex."""
    return _ENCODED.sub(_decoded, source)


def escaped(text: str, dialect: Dialect) -> str:
    """Text that means nothing but itself in `dialect`."""
    if dialect == "plain":
        return text
    text = _CALL.sub("@\u200b", text)
    if dialect == "html":
        return escape(text)
    if dialect == "markdown":
        return _MARKDOWN_SIGNS.sub(_behind_backslash, text)
    if dialect == "bbcode":
        # Bitrix24 has no escape: a space keeps a bracket from opening a tag.
        return _TAG.sub(lambda tag: f"[ {tag[0][1:]}", text)
    return text


def _behind_backslash(sign: re.Match[str]) -> str:
    found = sign[0]
    if found.isdigit():
        return f"{found}\\"
    return f"{found}\\" if not found.strip() else f"\\{found}"


def _decoded(code: re.Match[str]) -> str:
    try:
        return bytes.fromhex(code[1]).decode()
    except UnicodeDecodeError:
        return code[0]


def _parsed(source: str) -> _Node:
    """The tree of known tags; what is not closed ends with its surroundings."""
    root = _Node("", children=[])
    open_nodes = [root]
    position = 0
    for tag in _TAG.finditer(source):
        name = tag[2].lower()
        if name not in _KNOWN or _is_in_code(open_nodes, name, closes=bool(tag[1])):
            continue
        open_nodes[-1].children.append(source[position : tag.start()])
        position = tag.end()
        if tag[1]:
            depth = next(
                (i for i in range(len(open_nodes) - 1, 0, -1) if open_nodes[i].name == name), 0
            )
            if depth:
                del open_nodes[depth:]
            continue
        node = _Node(name, (tag[3] or tag[4] or "").strip("\"' "), children=[])
        open_nodes[-1].children.append(node)
        if name not in _ALONE and len(open_nodes) < _MAX_DEPTH:
            open_nodes.append(node)
    open_nodes[-1].children.append(source[position:])
    return root


def _is_in_code(open_nodes: list[_Node], name: str, *, closes: bool) -> bool:
    return open_nodes[-1].name == "code" and not (closes and name == "code")


def _pieces(node: _Node, dialect: Dialect) -> Iterator[str]:
    for child in node.children:
        if isinstance(child, str):
            yield escaped(child, dialect)
        elif child.name == "code":
            yield _code(child, dialect)
        else:
            inner = "".join(_pieces(child, dialect))
            yield _SHAPES.get(child.name, _plain)(inner, child, dialect)


def _plain(inner: str, _node: _Node, _dialect: Dialect) -> str:
    return inner


def _code(node: _Node, dialect: Dialect) -> str:
    text = "".join(child for child in node.children if isinstance(child, str)).strip("\n")
    if dialect == "html":
        return f"<pre>{escape(text)}</pre>"
    if dialect == "markdown":
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
        return f"\n{fence}\n{text}\n{fence}\n"
    return f"\n{text}\n"


def _marked(markdown: str, html: str) -> Callable[[str, _Node, Dialect], str]:
    def shape(inner: str, _node: _Node, dialect: Dialect) -> str:
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


def _link(inner: str, node: _Node, dialect: Dialect) -> str:
    only_text = all(isinstance(child, str) for child in node.children)
    url = node.argument or ("".join(map(str, node.children)).strip() if only_text else "")
    if not re.match(r"https?://[^\s<>\"]+$", url):
        return inner
    if dialect == "html":
        return f'<a href="{escape(url)}">{inner}</a>'
    if dialect == "markdown":
        target = url.replace("(", "%28").replace(")", "%29")
        return f"[{inner}]({target})" if node.argument else f"<{target}>"
    return f"{inner} ({url})" if node.argument and node.argument != inner else url


def _image(_inner: str, node: _Node, dialect: Dialect) -> str:
    only_text = all(isinstance(child, str) for child in node.children)
    url = "".join(map(str, node.children)).strip() if only_text else ""
    return _link(escaped(url, dialect), _Node("url", "", [url]), dialect)


def _quote(inner: str, _node: _Node, dialect: Dialect) -> str:
    if dialect == "html":
        return f"<blockquote>{inner.strip()}</blockquote>"
    lines = inner.strip().split("\n")
    return "\n" + "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"


def _item(_inner: str, _node: _Node, dialect: Dialect) -> str:
    return "\n- " if dialect == "markdown" else "\n• "


def _line(_inner: str, _node: _Node, _dialect: Dialect) -> str:
    return "\n"


def _block(inner: str, _node: _Node, _dialect: Dialect) -> str:
    return f"\n{inner.strip()}\n"


def _cell(inner: str, _node: _Node, _dialect: Dialect) -> str:
    return f"{inner.strip()}  "


def _file(_inner: str, _node: _Node, _dialect: Dialect) -> str:
    return ""  # files are named by the template, from the comment's own list


_SHAPES: Final[dict[str, Callable[[str, _Node, Dialect], str]]] = {
    "b": _marked("**", "b"),
    "i": _marked("_", "i"),
    "s": _marked("~~", "s"),
    "del": _marked("~~", "s"),
    "url": _link,
    "img": _image,
    "quote": _quote,
    "*": _item,
    "br": _line,
    "p": _block,
    "list": _block,
    "table": _block,
    "tr": _block,
    "td": _cell,
    "th": _cell,
    "disk": _file,
}
