"""Decides whether a request comes from the console's own pages: no other site may read or write.

What a browser puts into these headers, a page cannot choose:
https://developer.mozilla.org/en-US/docs/Glossary/Fetch_metadata_request_header. They are sent to
`https:` and to this machine; elsewhere there is `Origin`, which comes with every POST. Pure.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

__all__ = ["why_not_change", "why_not_read"]


def why_not_read(method: str, headers: Mapping[str, str]) -> str | None:
    """None if what is asked for may be answered, else why not.

    A link of another site may lead here: the site sees nothing of what it leads to.
    """
    site = headers.get("Sec-Fetch-Site")
    if site in (None, "none", "same-origin"):
        return None
    is_link = headers.get("Sec-Fetch-Mode") == "navigate" and method == "GET"
    if is_link and headers.get("Sec-Fetch-Dest") == "document":
        return None
    return f"asked for by another site ({site})"


def why_not_change(headers: Mapping[str, str], *, has_token: bool) -> str | None:
    """None if something may be changed, else why not.

    Who sends a token (`has_token`) is no page of another site: none can make a browser send it.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site != "same-origin":
        return f"sent by another site ({site})"
    if origin is not None:
        host = urlsplit(origin).netloc.lower()
        if not host or host != headers.get("Host", "").lower():
            return f"sent by a page of {origin}"
    if site is None and origin is None and not has_token:
        return "the browser does not say which page has sent it"
    return None
