"""Asks whether a portal answers at all, when a request to it has failed as a whole."""

from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import Bitrix24Error, Limited, PortalMoved, Unavailable

__all__ = ["why_away"]


async def why_away(portal: PortalClient) -> Bitrix24Error | None:
    """None if a portal answers what asks for next to nothing, whatever that is; else why not.

    One request, which is not repeated. It tells a request that something in it makes fail from a
    portal that fails.
    """
    try:
        await portal.call("profile")
    except (Limited, PortalMoved, Unavailable) as error:
        return error
    except Bitrix24Error:
        return None
    return None
