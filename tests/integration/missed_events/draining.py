"""What tests of draining share: changes in a portal, and rounds until its queue is empty."""

from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.offline_queue import Row
from tests.integration.missed_events.scene import Scene
from tests.support.eventually import eventually

__all__ = ["add", "reserved", "until_drained", "waiting"]


def add(portal: LivePortal, count: int = 1) -> list[int]:
    """Write comments; their ids."""
    return [
        portal.comments.add(entity_type="deal", entity_id=15, text=f"Hello {n}")
        for n in range(count)
    ]


def waiting(scene: Scene, portal: LivePortal) -> int:
    """How many rows are in the portal's queue, reserved or not."""
    return len(_rows(scene, portal))


def reserved(scene: Scene, portal: LivePortal) -> int:
    """How many of them are reserved."""
    return sum(bool(row.process_id) for row in _rows(scene, portal))


async def until_drained(scene: Scene, *portals: LivePortal, timeout_s: float = 40) -> None:
    """Go rounds until the queues are empty."""

    async def is_drained() -> bool:
        if any(waiting(scene, portal) for portal in portals):
            await scene.once()
        return not any(waiting(scene, portal) for portal in portals)

    await eventually(is_drained, timeout_s=timeout_s)


def _rows(scene: Scene, portal: LivePortal) -> list[Row]:
    client_id = scene.sandbox.application.client_id
    return portal.offline.rows(client_id, scene.settings.bitrix24.auth_connector)
