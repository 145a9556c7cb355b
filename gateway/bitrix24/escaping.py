"""Writes text so that it means nothing but itself, whatever shows it; no I/O.

What somebody typed must not format, mask where a link leads, or call for attention. Where a dialect
has an escape it is used; where it has none, or where a service looks for mentions before it looks
for escapes, U+200B (which nobody sees) stands between the signs that would mean something together.
An address that is typed out stays one: people see where it leads.
"""

import re
from html import escape
from typing import Final, Literal

__all__ = ["Dialect", "broken", "escaped", "in_destination"]

Dialect = Literal["plain", "text", "markdown", "html", "bbcode"]
"""`text` is for people: no word of it calls for attention. `plain` is for programs: the same words,
exactly as they are."""

_NOTHING: Final = "\u200b"
_ADDRESS: Final = re.compile(
    r"https?://(?:[^\s<>|\"\[\]`()]|\([^\s<>|\"\[\]`()]*\))+", re.IGNORECASE
)
_SENTENCE_ENDS: Final = ".,;:!?'*_~"
_EVERYBODY: Final = re.compile(r"@(?=everyone|here|channel|room\b|all\b)", re.IGNORECASE)
# Mentions of users, roles and groups: @name, @**name**, @"name" and what stands in angle brackets.
# What has letters before its @ is a mail address.
_MENTION: Final = re.compile(r"(?<![\w.+-])@(?=[\w&!*_|\"])|[@#](?=\*\*|_\*\*)")
# What angle brackets mean, from <@id>, <#id> and <!here> to <url|name>, <users/id> and <at …>;
# links in Markdown, [name](url); mentions in KOOK, (met)id(met), and in OneBot, [CQ:at,…].
_OPENING: Final = re.compile(
    r"<(?=[@#!:]|/?[a-z]+:|/?(?:a|at|font|spark-mention|users)\b)"
    r"|\](?=\()|\((?=(?:met|rol|chn)\))|\[(?=CQ:)",
    re.IGNORECASE,
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
# Line beginnings that open a heading, a list or an indented block, and entities.
_MARKDOWN: Final = re.compile(
    r"^[ \t]{4,}|^([ \t]*)(?=[#+=-])|^([ \t]*\d+)(?=[.)])|([\\`*_{}\[\]<>|~]|&(?=#?\w{1,32};))",
    re.MULTILINE,
)
_BRACKETS: Final = re.compile(r"\[(?=/?[a-z*]+(?:[=\s\]]))", re.IGNORECASE)


def escaped(text: str, dialect: Dialect, *, in_link: bool = False) -> str:
    """Text that means nothing but itself in `dialect`; `in_link` says that a link is around it.

    Control characters are left out, which no service shows and XML cannot hold.
    """
    text = _CONTROLS.sub("", text)
    if dialect == "plain":
        return text
    if dialect == "bbcode":
        # Bitrix24 has no escape: a space keeps a bracket from opening a tag.
        return _BRACKETS.sub("[ ", text)
    if dialect != "html":
        text = _OPENING.sub(_apart, text)
    parts: list[str] = []
    position = 0
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(_SENTENCE_ENDS)
        parts.append(_words(text[position : found.start()], dialect, begins_line=not position))
        parts.append(_shown_address(address, dialect, in_link=in_link))
        position = found.start() + len(address)
    parts.append(_words(text[position:], dialect, begins_line=not position))
    return "".join(parts)


def broken(text: str) -> str:
    """The same words, none of which mentions anybody or stands for a link, and nothing unseen."""
    text = _CONTROLS.sub("", text)
    return _without_mentions(_OPENING.sub(_apart, text))


def in_destination(address: str) -> str:
    """An address as it stands behind a link's name in Markdown."""
    for sign, code in (("\\", "%5C"), ("(", "%28"), (")", "%29"), ("|", "%7C")):
        address = address.replace(sign, code)
    return _EVERYBODY.sub("%40", address)


def _without_mentions(text: str) -> str:
    return _MENTION.sub(_apart, _EVERYBODY.sub(_apart, text))


def _apart(sign: re.Match[str]) -> str:
    return f"{sign[0]}{_NOTHING}"


def _words(text: str, dialect: Dialect, *, begins_line: bool) -> str:
    text = _without_mentions(text)
    if dialect == "html":
        return escape(text)
    return _in_markdown(text, begins_line=begins_line) if dialect == "markdown" else text


def _in_markdown(text: str, *, begins_line: bool) -> str:
    # The expression takes the beginning of what it is given for that of a line.
    before = "" if begins_line else "."
    return _MARKDOWN.sub(_behind_backslash, before + text)[len(before) :]


def _behind_backslash(found: re.Match[str]) -> str:
    if found[3]:
        return f"\\{found[3]}"
    if found[1] is not None or found[2] is not None:
        return f"{found[0]}\\"
    return "\u00a0" * len(found[0])  # a no-break space indents and makes no block of code


def _shown_address(address: str, dialect: Dialect, *, in_link: bool) -> str:
    address = _EVERYBODY.sub("%40", address)
    if dialect == "html":
        return escape(address)
    if dialect == "markdown" and not in_link:
        # Between these no sign of an address formats, and none needs a backslash.
        return f"<{address}>"
    if dialect == "markdown":
        return _in_markdown(address, begins_line=False)
    return address
