"""Tells which names and texts, of what a portal says, hold something that opens something; no I/O.

Portals put keys into what they show: the address at which a file can be downloaded holds the very
access token that asked for it (`DOWNLOAD_URL` of
https://apidocs.bitrix24.com/api-reference/disk/file/disk-file-get.html). A field goes by its name
if that is a secret's, an address keeps no query, and what looks like a key within a text is masked.
"""

import re
from typing import Final

__all__ = ["MASK", "names_a_secret", "without_secrets"]

MASK: Final = "***"
"""What stands in a text for what was a key."""
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SECRET_WORDS: Final = frozenset(
    {
        "auth",
        "authorization",
        "checkword",
        "credentials",
        "passwd",
        "password",
        "secret",
        "sessid",
        "signature",
        "token",
    }
)
_SECRET_NAMES: Final = frozenset(
    {"accesskey", "apikey", "downloadurl", "urldownload", "urlmachine"}
)
_ADDRESS: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}:)?//?[^\s/?#][^\s]*", re.IGNORECASE)
_WEBHOOK: Final = re.compile(r"/rest/\d+/[^/\s?#&\"'<>\[\]]+", re.IGNORECASE)
_PARAMETER: Final = re.compile(
    r"(?<![\w-])([\w-]{0,20}(?:auth|token|secret|password|sessid|signature"
    r"|(?:api|access|private)[_-]?key)[\w-]{0,20}=)"
    r"[^\s&\"'<>\[\]]+",
    re.IGNORECASE,
)
_USER_INFO: Final = re.compile(r"//[^\s/?#@]*@")


def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds, or leads to, something that opens something."""
    if name.replace("_", "").lower() in _SECRET_NAMES:
        return True
    return any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


def without_secrets(text: str) -> str:
    """A text in which no address has a key, and no parameter's value is one.

    What is an address as a whole keeps what stands before its query; so does one within a text,
    but for the values of parameters that are named like keys.
    """
    if _ADDRESS.fullmatch(text):
        text = text.partition("#")[0].partition("?")[0]
    if "/" in text:
        text = _USER_INFO.sub("//", _WEBHOOK.sub(f"/rest/{MASK}", text))
    return _PARAMETER.sub(rf"\1{MASK}", text) if "=" in text else text
