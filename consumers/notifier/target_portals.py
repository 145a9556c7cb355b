"""Gives targets inside portals the clients that call those, and says which can be called.

One client for the process, and by it the limits that all processes share.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, Final

from consumers.notifier.targets import Target
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.connecting import connect
from gateway.settings import Settings

__all__ = ["in_reach", "is_callable"]

_MARGIN_S: Final = 1.0


def is_callable(member_id: str, settings: Settings) -> bool:
    """Whether the settings give a right to call the portal: its webhook's, or an application's."""
    return bool(settings.bitrix24.listed) or any(
        portal.rest_webhook for portal in settings.portals if portal.member_id == member_id
    )


@asynccontextmanager
async def in_reach(targets: Iterable[Target], settings: Settings) -> AsyncIterator[None]:
    """Let the targets that are in portals send, until the end. Connects to nothing by itself.

    Raises OperatorError for secrets that are missing or wrong.
    """
    inside = [target for target in targets if target.member_id]
    if not inside:
        yield
        return
    async with connect(settings) as portals:
        loop = asyncio.get_running_loop()
        for target in inside:
            target.reach(_Portal(portals.portal(target.member_id), loop))
        yield


class _Portal:
    """A portal's client for threads; its calls run on the event loop."""

    def __init__(self, client: PortalClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def call(
        self, method: str, parameters: Mapping[str, Any], *, is_repeatable: bool, timeout_s: float
    ) -> None:
        """As bitrix24.Portal has it."""

        async def call() -> None:
            async with asyncio.timeout(timeout_s):
                # Half of the time to wait for its turn, so that no request is given up, which the
                # portal may carry out all the same, before it had the other half to be answered.
                await self._client.call(
                    method, parameters, is_repeatable=is_repeatable, timeout_s=timeout_s / 2
                )

        # Out of the fence, which the thread's context has: it is for URLs of targets, and where a
        # portal is was told by its administrator or by the authorization server.
        under_way = Context().run(asyncio.run_coroutine_threadsafe, call(), self._loop)
        # The loop ends the call in time; without a loop, nobody does.
        under_way.result(timeout_s + _MARGIN_S)
