"""Describes the portal that a load pretends to be, and writes its deliveries.

Everything that a load makes is told by this portal, and lies in a range of comments that no portal
has reached: `gateway erase --portal` takes all of it away again.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import PortalIdentity

__all__ = [
    "COMMENT_COUNT",
    "FIRST_COMMENT_ID",
    "LOAD_PORTAL",
    "body_writer",
    "is_of_load",
    "load_portal",
]

FIRST_COMMENT_ID: Final = 9_000_000_000
COMMENT_COUNT: Final = 20_000
"""How many comments are edited in turns."""

LOAD_PORTAL: Final = PortalIdentity(
    member_id="10ad0000000000000000000000000000",
    domain="load.bitrix24.example",
    application_token="fake0load0application0token00000",
)
_MARKED_ID: Final = 1_234_567_890_123
_MARKED_TS: Final = 3_210_987_654


def body_writer(portal: PortalIdentity) -> Callable[[int, int], bytes]:
    """A function of a comment's id and Bitrix24's ts that writes a body as `body_of` does.

    At a fiftieth of its cost: what does not change is written once.
    """
    body = body_of("comment.updated", portal=portal, ts=_MARKED_TS, subject_id=_MARKED_ID)
    before, between, rest = body.replace(b"%d" % _MARKED_TS, b"%d" % _MARKED_ID, 1).split(
        b"%d" % _MARKED_ID
    )
    until_expiry, after = rest.split(b"%d" % (_MARKED_TS + 3600))

    def write(comment_id: int, ts: int) -> bytes:
        parts = (before, comment_id, between, ts, until_expiry, ts + 3600, after)
        return b"%s%d%s%d%s%d%s" % parts

    return write


def is_of_load(comment_id: int) -> bool:
    """Whether a comment of the load's portal is one of those that loads edit."""
    return FIRST_COMMENT_ID <= comment_id < FIRST_COMMENT_ID + COMMENT_COUNT


def load_portal(member_id: str, domain: str, token: str) -> PortalIdentity:
    """The portal by which to load, where it is not LOAD_PORTAL."""
    return replace(LOAD_PORTAL, member_id=member_id, domain=domain, application_token=token)
