"""Decides with which settings the processes of a drill run: as much of the installation's as can be
tried without doing anything to it. Pure.

They have its Redis, what it calls stored, its leases and its limit of memory. They know the
sandbox's portal alone, listen on loopback, and have no key, no token and nobody to tell anything.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from gateway.local.process_plan import environment
from gateway.redis_access.redis_url import RedisAddress
from gateway.sandbox.portal import SANDBOX
from gateway.settings import PortalSettings, Settings, SpoolSettings

__all__ = ["DrillPlace", "drill_settings", "inherited", "url_through", "variables_of"]

_MOST_PARTITIONS: Final = 4
# All partitions are alike, and each process has something to do for each of them.
_GRACE_S: Final = 5.0
_NOT_INHERITED: Final = ("GATEWAY_", "OTEL_", "LISTEN_", "NOTIFY_", "WATCHDOG_")
# Settings of the installation, where its spans go, and what systemd has given one process alone.


class DrillPlace(Struct, frozen=True, kw_only=True):
    """Where a drill takes place: how its processes reach Redis, which keys are theirs, and which
    directory and ports.
    """

    redis_url: str
    prefix: str
    directory: Path
    port: int
    admin_port: int

    @property
    def spool(self) -> Path:
        """The directory of its receiver's spool."""
        return self.directory / "spool"


def drill_settings(
    installation: Settings, place: DrillPlace, *, max_bytes: int | None = None
) -> Settings:
    """Those of its receiver and its consumers; `max_bytes` is for a spool that is soon full."""
    given = Settings()
    return replace(
        given,
        redis=replace(
            installation.redis,
            url=place.redis_url,
            prefix=place.prefix,
            partitions=min(installation.redis.partitions, _MOST_PARTITIONS),
        ),
        publish=installation.publish,
        http=replace(
            given.http,
            port=place.port,
            fast_lane=installation.http.fast_lane,
            grace_s=_GRACE_S,
            last_requests_s=0,
        ),
        admin=replace(given.admin, port=place.admin_port),
        spool=SpoolSettings(
            dir=str(place.spool),
            max_bytes=installation.spool.max_bytes if max_bytes is None else max_bytes,
        ),
        retention=replace(
            given.retention, max_memory_share=installation.retention.max_memory_share
        ),
        consumers=replace(
            given.consumers, lease_s=installation.consumers.lease_s, grace_s=_GRACE_S
        ),
        log=replace(given.log, format="json"),
        portals=(
            PortalSettings(
                member_id=SANDBOX.member_id,
                domain=SANDBOX.domain,
                application_tokens=(SANDBOX.application_token,),
            ),
        ),
    )


def variables_of(settings: Settings) -> dict[str, str]:
    """The variables that make them of nothing."""
    return environment(Settings(), settings)


def inherited(variables: Mapping[str, str]) -> dict[str, str]:
    """What a drill's processes inherit of an environment: nothing of the installation's."""
    return {name: text for name, text in variables.items() if not name.startswith(_NOT_INHERITED)}


def url_through(address: RedisAddress, url: str) -> str:
    """The address of one server by way of a proxy at `url`, with the account that it asks for."""
    account = {"username": address.username, "password": address.password}
    given = {name: text for name, text in account.items() if text}
    return f"{url}?{urlencode({'db': address.db, **given})}"
