"""Reads the server's reply to XREADGROUP: the entries of each stream with their fields."""

from typing import Any

__all__ = ["Pages", "pages_of"]

Pages = dict[bytes, list[tuple[bytes, dict[bytes, bytes]]]]


def pages_of(response: Any, **_options: Any) -> Pages:
    """The pages as redis-py gives them, in half of its time: nearly all entries have one field.

    To be set as the client's callback. The reply is a map, in RESP2 a list of pairs, or nothing.
    """
    pages = response.items() if isinstance(response, dict) else response or ()
    return {
        key: [
            (
                entry_id,
                {flat[0]: flat[1]}
                if len(flat) == 2
                else dict(zip(flat[::2], flat[1::2], strict=True)),
            )
            for entry_id, flat in page
        ]
        for key, page in pages
    }
