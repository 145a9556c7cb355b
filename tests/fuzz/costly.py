"""Bodies of the largest size that is taken, each the worst of its kind that is known."""

from collections.abc import Callable
from typing import Final

from gateway.contract import types_about
from gateway.inbound.entity_reading import EntityReader
from gateway.inbound.form import DEFAULT_LIMITS, FormError
from gateway.inbound.form_fields import FormFields, extract
from gateway.installation.claim import claim_of_event, claim_of_page
from gateway.installation.errors import NotConfirmed
from gateway.installation.event_tokens import event_token_of
from gateway.settings import HttpSettings

__all__ = ["COSTLY_BODIES", "READERS", "read_entity"]

_SIZE: Final = HttpSettings().max_body


def _of(unit: bytes, beginning: bytes = b"") -> bytes:
    return (beginning + unit * _SIZE)[:_SIZE]


def _pairs(name: bytes, value: bytes = b"1") -> bytes:
    """As many pairs as may be, with names that differ, and as large as they may be together."""
    count = DEFAULT_LIMITS.max_keys
    pairs = [name.replace(b"#", b"%d" % (1000 + number)) + b"=" for number in range(count)]
    room = (_SIZE - len(b"&".join(pairs))) // count // len(value) if value else 0
    return b"&".join(pair + value * max(1, room) for pair in pairs)[:_SIZE]


COSTLY_BODIES: Final = {
    "one plain value": _of(b"a", b"a="),
    "percent signs": _of(b"%"),
    "percent signs in a wanted value": _of(b"%", b"auth[application_token]="),
    "percent signs in an installation": _of(b"%", b"event=ONAPPINSTALL&"),
    "percent signs of the page": _of(b"%", b"AUTH_ID="),
    "half escapes": _of(b"%4"),
    "escapes": _of(b"%41"),
    "escapes and percent signs": _of(b"%41%g"),
    "control characters": _of(b"%\x01"),
    "escapes in a wanted value": _of(b"%41", b"auth[member_id]="),
    "escapes of what is no UTF-8": _of(b"%ff", b"event="),
    "backslashes": _of(b"\\", b"event="),
    "empty pairs": _of(b"&"),
    "too many pairs": _of(b"a&"),
    "brackets": _of(b"[", b"a"),
    "encoded brackets": _of(b"%5b", b"a"),
    "long names": _pairs(b"a" * 59 + b"#", b""),
    "escaped names": _pairs(b"%41" * 19 + b"#", b""),
    "percent signs as names": _pairs(b"%" * 59 + b"#", b""),
    "deep names": _pairs(b"a#" + b"[b]" * DEFAULT_LIMITS.max_depth),
    "deep names with encoded brackets": _pairs(b"a#" + b"%5bb%5d" * DEFAULT_LIMITS.max_depth),
    "deep names in what is wanted": _pairs(b"auth[#]" + b"[]" * (DEFAULT_LIMITS.max_depth - 1)),
    "arrays in what is wanted": _pairs(b"auth[#][b][c][d][]"),
    "arrays in place of what is wanted": _pairs(b"data[FIELDS][ID][#][]"),
    "a wanted value a thousand times": _pairs(b"auth[application_token]", b"%41"),
    "fields of an event": _pairs(b"data[FIELDS][F#]", b"ab 12 "),
    "fields that look like keys": _pairs(b"data[#]", b"a1b2-"),
    "fields that are named like keys": _pairs(b"data[#][api_key]", b"key=%61"),
    "deep fields": _pairs(b"data[#]" + b"[a]" * (DEFAULT_LIMITS.max_depth - 1)),
    "one long field of words about keys": _of(b"token%3D", b"data[TEXT]="),
    "one long field that could be a key": _of(b"a1", b"data[TEXT]="),
    "nearly a comment event": _of(
        b"&auth%5Bscope%5D=1", b"event=x&data%5BFIELDS%5D%5BID%5D=1&ts=2"
    ),
    "nearly a comment event, and long": _of(
        b"x", b"event=x&data%5BFIELDS%5D%5BID%5D=1&ts=2&auth%5Baccess_token%5D="
    ),
}
"""By what is costly about them."""


def _claimed(read: Callable[[bytes], object], body: bytes) -> None:
    try:
        read(body)
    except (FormError, NotConfirmed):
        return


_ENTITY: Final = EntityReader(types_about("deal")[0])

READERS: Final[dict[str, Callable[[bytes], None]]] = {
    "a delivery": lambda body: _claimed(extract, body),
    "an installation": lambda body: _claimed(lambda body: claim_of_event(body, received_s=0), body),
    "the page": lambda body: _claimed(lambda body: claim_of_page(body, received_s=0), body),
    "an event's token": lambda body: _claimed(lambda body: event_token_of(body, now=0), body),
}
"""What reads a body before or after it is known to be genuine; each raises nothing."""


def read_entity(body: bytes) -> None:
    """What reads a body of which it is known that a portal has sent it; raises nothing."""
    _claimed(lambda body: _ENTITY.read_form(FormFields(body=body)), body)
