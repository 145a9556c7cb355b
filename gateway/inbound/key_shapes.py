"""Masks whatever in a text could be a key, going by its shape: what cannot be one is kept. Pure.

Which texts hold keys, nobody lists: portals, their applications and people put them anywhere. But
a key is random, and so is long and mixes letters and digits, which numbers, words, dates, names of
fields and addresses do not. The shortest that Bitrix24 makes has 16 small letters and digits, of an
inbound webhook (https://apidocs.bitrix24.com/local-integrations/local-webhooks.html); its tokens
have 32 and more. One of 16 that happens to be of letters alone, one in 180, is taken for a word.
"""

import re
from typing import Final

from gateway.secrets_in_data import MASK, without_secrets

__all__ = ["without_keys"]

_MOST_ODD: Final = 11
# Letters and digits of a run that are in no number and no word; a key may have some hyphens in it.
_RUN: Final = re.compile(rf"[A-Za-z0-9_+~-]{{{_MOST_ODD + 1},}}")
# What a key is written with; nothing else stands within one, but what parts two of them: a dot.
_PART: Final = re.compile(r"[A-Za-z0-9]+")
# 20 digits are more than 64 bits. Numbers of accounts begin with letters.
_NUMBER: Final = r"[0-9]{1,20}|[A-Za-z]{1,4}[0-9]{1,24}|[0-9]{8}T[0-9]{4,6}Z?"
_WORD: Final = (
    r"(?=[A-Za-z]{1,30}\Z)(?:[A-Z]*|[A-Za-z]?[a-z]*"  # word, Word, WORD
    r"|[A-Z]{0,3}[a-z]{2,}(?:[A-Z][a-z]|[A-Z]{1,3}[a-z]{2,})*[A-Z]{0,3})"  # ofSeveralWords
)
_NUMBER_OR_WORD: Final = re.compile(f"{_NUMBER}|{_WORD}")
_CUSTOM_FIELD: Final = re.compile(r"UF_[A-Z]{1,12}(?:_[0-9A-Z]{1,20}){1,4}")
# https://apidocs.bitrix24.com/api-reference/crm/universal/user-defined-fields/index.html


def without_keys(text: str) -> str:
    """The text with a mask for each run of characters that could be a key.

    An address loses its query, and a parameter that is named like a key its value, as in
    `without_secrets`.
    """
    text = without_secrets(text)
    return text if len(text) <= _MOST_ODD else _RUN.sub(_masked, text)


def _masked(run: re.Match[str]) -> str:
    if _CUSTOM_FIELD.fullmatch(run[0]):
        return run[0]
    odd = sum(len(part) for part in _PART.findall(run[0]) if not _NUMBER_OR_WORD.fullmatch(part))
    return MASK if odd > _MOST_ODD else run[0]
