"""All that a receiver process keeps about who may send, wired: directory and quarantine."""

from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis

from gateway.portals.directory import Directory, portals_of
from gateway.portals.following import Follower
from gateway.portals.quarantine import Quarantine
from gateway.portals.registry import Registry
from gateway.portals.snapshot import Snapshot
from gateway.settings import Settings
from gateway.vault import Vault
from gateway.web.quarantining import Quarantining

__all__ = ["Senders"]

log: Any = structlog.get_logger(__name__)


class Senders:
    """The registered portals, kept up to date, and what becomes of deliveries of others.

    `start` before the first delivery, `close` after the last one. Raises OperatorError for a token
    or a key that cannot be used.
    """

    def __init__(self, settings: Settings, control: Redis) -> None:
        prefix = settings.redis.prefix
        self.directory = Directory(portals_of(settings.portals))
        self._follower = Follower(
            self.directory,
            Registry(control, prefix=prefix),
            Snapshot(Path(settings.spool.dir), prefix=prefix),
        )
        self.quarantining: Quarantining | None = None
        if (vault := Vault.of(settings.vault)) is not None:
            quarantine = Quarantine(control, settings.quarantine, prefix=prefix)
            self.quarantining = Quarantining(quarantine, vault, self.directory)

    async def start(self) -> None:
        """Learn the portals, and start to follow them."""
        await self._follower.start()
        if not len(self.directory):
            log.warning("no portals are registered: every delivery will be refused")
        if self.quarantining is None:
            log.info("no quarantine for deliveries with a wrong token: [vault] keys is empty")
        else:
            self.quarantining.start()

    async def close(self) -> None:
        """Keep what is to be quarantined, and end."""
        if self.quarantining is not None:
            await self.quarantining.close()
        await self._follower.close()
