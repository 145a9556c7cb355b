"""Installing a portal, and delivering from it."""

from gateway.sandbox.live_portal import LivePortal
from tests.integration.installation.running import Gateway
from tests.support.eventually import eventually


async def install(portal: LivePortal, gateway: Gateway) -> None:
    """Install, and wait until the portal's events are bound."""
    await portal.install(gateway.url)
    await portal.sent()

    async def is_bound() -> bool:
        return (await gateway.facts.of(portal.member_id)).bound_at is not None

    await eventually(is_bound)
