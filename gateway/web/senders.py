"""Wires together all that a receiver process keeps about who may send."""

from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis

from gateway.inbound.admission import Admission
from gateway.portals.directory import Directory, portals_of
from gateway.portals.disk_copy import DiskCopy
from gateway.portals.following import Follower
from gateway.portals.quarantine import Quarantine
from gateway.portals.registry import Registry
from gateway.settings import Settings
from gateway.traffic.rate_watch import RateWatch
from gateway.vault.encryption import Vault
from gateway.web.protection.guard import guard_of
from gateway.web.protection.sender_list import SenderList
from gateway.web.quarantining import Quarantining

__all__ = ["Senders"]

log: Any = structlog.get_logger(__name__)


class Senders:
    """Keeps the registered portals up to date, and their rates; judges what they deliver, with the
    quarantine for deliveries that carry another token; and has the guard, which knows the networks
    that may deliver.

    `start` before the first delivery, `close` after the last one. Raises OperatorError for a
    token, a key or a network that cannot be used.
    """

    def __init__(self, settings: Settings, control: Redis) -> None:
        prefix, spool_dir = settings.redis.prefix, Path(settings.spool.dir)
        self.directory = Directory(portals_of(settings.portals))
        self.admission = Admission(self.directory, settings.subscription)
        self.follower = Follower(
            self.directory, Registry(control, prefix=prefix), DiskCopy(spool_dir, prefix=prefix)
        )
        self.rates = RateWatch(
            control, self.directory, prefix=prefix, limit=settings.http.alarm_per_minute
        )
        self.quarantining: Quarantining | None = None
        if (vault := Vault.of(settings.vault)) is not None:
            quarantine = Quarantine(
                control,
                settings.quarantine,
                prefix=prefix,
                max_memory_share=settings.retention.max_memory_share,
            )
            self.quarantining = Quarantining(quarantine, vault, self.admission)
        self.guard = guard_of(settings.http)
        self._sender_list: SenderList | None = None
        if self.guard is not None and settings.http.allow_source:
            self._sender_list = SenderList(
                self.guard,
                settings.http.allow_source,
                spool_dir,
                refresh_s=settings.http.allow_refresh_s,
            )

    async def start(self) -> None:
        """Learn the portals and the senders' networks, and start to follow both."""
        if self._sender_list is not None:
            self._sender_list.start()
        await self.follower.start()
        if not len(self.directory):
            log.warning("no portals are registered: every delivery will be refused")
        self.rates.start()
        if self.quarantining is None:
            log.info("no quarantine for deliveries with a wrong token: [vault] keys is empty")
        else:
            self.quarantining.start()

    async def close(self) -> None:
        """Keep what is to be quarantined, and end."""
        if self.quarantining is not None:
            await self.quarantining.close()
        await self.rates.close()
        await self.follower.close()
        if self._sender_list is not None:
            await self._sender_list.close()
