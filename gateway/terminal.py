"""Makes text of others harmless on a terminal: what a comment, a portal or a stranger wrote draws
nothing there.

Control characters move the cursor, set the window's title or forge a line of output; C1 and the
controls of writing direction do so too, and JSON leaves those as they are.
"""

from typing import Any

import msgspec

__all__ = ["indented_json", "json_line", "printable", "printable_lines"]


def printable(text: str) -> str:
    """One line: what is not printable, line breaks included, becomes U+FFFD."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def printable_lines(text: str) -> str:
    """The same line by line, for texts that have several, such as a traceback."""
    return "\n".join(printable(line) for line in text.splitlines())


def json_line(value: Any) -> str:
    """One line of JSON; what is not printable is escaped, and read as it was."""
    return _escaped(msgspec.json.encode(value).decode())


def indented_json(value: Any) -> str:
    """The same over several lines, for people."""
    written = msgspec.json.format(msgspec.json.encode(value)).decode()
    return "\n".join(map(_escaped, written.split("\n")))


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else _escape(one) for one in line)


def _escape(one: str) -> str:
    """As JSON writes a character by its number: two of them beyond the basic plane."""
    units = one.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
