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
    {"auth", "cookie", "cookies", "csrf", "jwt", "otp", "pass", "passwd", "pwd", "sid"}
)
_NO_LETTER: Final = re.compile(r"[^a-z]+")
_SECRET_PARTS: Final = re.compile(
    r"authoriz|bearer|checkword|credential|passphrase|passwor|refreshid|secret(?!ar)|sessid"
    r"|signature|token|webhook"
    r"|(?:access|api|encryption|license|private|secret|signing)keys?\Z"
    r"|download(?:link|ur[il])|ur[il]download|urlmachine"
)
# Within a name of small letters without anything between them: in `accesstoken`, no word is one.
_ADDRESS: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}:)?//?[^\s/?#][^\s]*", re.IGNORECASE)
_SLASH: Final = r"(?:\\?/|%2f)"  # in text, in what json_encode wrote, in the query of an address
_WEBHOOK: Final = re.compile(
    rf"{_SLASH}rest{_SLASH}{{1,2}}(?:api{_SLASH})?\d+{_SLASH}[^/\s?#&%\\\"'<>\[\]]+", re.IGNORECASE
)
# `api` of https://apidocs.bitrix24.com/api-reference/rest-v3.html
_PUBLIC_LINK: Final = re.compile(rf"({_SLASH}~)[A-Za-z0-9]{{5}}(?![\w.~-])", re.IGNORECASE)
# Whoever has such an address of a portal's opens the file. What is behind the `~` is random.
_PARAMETER_NAMES: Final = (
    *("auth", "token", "secret", "passw", "парол", "sessid", "signature", "app_sid"),
    *("api_key", "api-key", "apikey", "access_key", "accesskey", "private_key", "privatekey"),
)
_PARAMETER: Final = re.compile(
    rf"(?<![\w-])([\w-]{{0,20}}(?:{'|'.join(_PARAMETER_NAMES)})"
    r"(?<!auth(?=or(?!i[sz])))(?<!secret(?=ar))[\w-]{0,20}"
    r"(?:\\?[\"'])?[^\S\n]{0,2}(?:=|:|%3[ad])[^\S\n]{0,2}(?:\\?[\"'])?(?:bearer )?)"
    r"[^\s&\"'<>\[\]\\]+",
    re.IGNORECASE,
)
# A value behind its name: a parameter's, in JSON, in a sentence. Authors and secretaries are none.
_HAS_VALUES: Final = re.compile(r"[/=:%]")
_USER_INFO: Final = re.compile(r"//[^\s/?#@]*@")


def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds, or leads to, something that opens something."""
    if _SECRET_PARTS.search(_NO_LETTER.sub("", name.lower())):
        return True
    return any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


def without_secrets(text: str) -> str:
    """A text in which no address has a key, and nothing that is named like one is there.

    What is an address as a whole keeps what stands before its query; one within a text keeps that,
    too. Masked are the values that are named like keys: as parameters, in JSON, in sentences.
    """
    if _HAS_VALUES.search(text) is None:  # as in most
        return text
    if _ADDRESS.fullmatch(text):
        text = text.partition("#")[0].partition("?")[0]
    lowered = text.lower()  # looking for a word is much cheaper than for a pattern
    if "rest" in lowered:
        text = _WEBHOOK.sub(f"/rest/{MASK}", text)
    if "@" in text:
        text = _USER_INFO.sub("//", text)
    if "~" in text:
        text = _PUBLIC_LINK.sub(rf"\1{MASK}", text)
    if any(name in lowered for name in _PARAMETER_NAMES):
        text = _PARAMETER.sub(rf"\1{MASK}", text)
    return text
