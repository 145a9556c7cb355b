"""Binds a portal's events, and notes what came of it."""

from datetime import UTC, datetime
from typing import Any

import structlog

from gateway.bitrix24.bindings import Bound, bind, digest_of_wanted, expected
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import Bitrix24Error
from gateway.portals.facts import PortalFacts
from gateway.settings import Settings

__all__ = ["bind_portal"]

log: Any = structlog.get_logger(__name__)


async def bind_portal(
    member_id: str, *, bitrix24: Bitrix24, facts: PortalFacts, settings: Settings
) -> Bound | None:
    """Let a portal that has the application deliver to this gateway; may be repeated.

    None without `[bitrix24] public_url`. What is refused is noted, logged and returned. Raises
    Bitrix24Error if the portal cannot be asked, which is noted and logged too; one of
    connections.FAILURES if it cannot be noted.
    """
    handler = settings.handler_url
    if not handler:
        log.warning(
            "the events of a portal are not bound: [bitrix24] public_url is empty",
            member_id=member_id,
        )
        return None
    wanted = expected(handler, settings.subscription, connector=settings.bitrix24.auth_connector)
    try:
        bound = await bind(bitrix24.application(member_id), wanted)
    except Bitrix24Error as error:
        reason = str(error)
        log.warning("the events of a portal could not be bound", member_id=member_id, why=reason)
        await facts.learn(member_id, unbound={str(binding): reason for binding in wanted})
        raise
    unbound = {str(binding): reason for binding, reason in bound.failed.items()}
    if unbound:
        log.warning("a portal does not bind all events", member_id=member_id, unbound=unbound)
    if bound.elsewhere:
        log.warning(
            "events of a portal are also delivered elsewhere",
            member_id=member_id,
            handlers=sorted({binding.handler for binding in bound.elsewhere}),
        )
    await facts.learn(
        member_id,
        bound_at=datetime.now(UTC),
        wanted=digest_of_wanted(wanted),
        unbound=unbound,
        queue=bound.queue,
    )
    log.info(
        "the events of a portal are bound",
        member_id=member_id,
        bound=len(bound.bound),
        queue=bound.queue,
    )
    return bound
