"""Tells systemd that a process is ready, that it lives, and that it stops, if systemd asked for it.

One datagram each, to the socket that it names in the environment:
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. With `WatchdogSec` a process
that has said nothing for so long is started again; here it says something for as long as it is
alive by its own `/healthz`, so that what stands still, or has lost a part of itself, is ended too.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from gateway.background import Background

__all__ = ["SystemdNotices", "telling_systemd"]

log: Any = structlog.get_logger(__name__)

_BEATS: Final = 3
# In the time after which systemd takes the process for dead.
_LONGEST_NUMBER: Final = 18


class SystemdNotices:
    """Tells one process' state; where nobody asked for it, nothing is told.

    `why_not_alive` says why the process should be started again, None while it should not. What
    systemd does not take is lost, and harms nobody.
    """

    def __init__(
        self, why_not_alive: Callable[[], Awaitable[str | None]], environ: Mapping[str, str]
    ) -> None:
        self._why_not_alive = why_not_alive
        self._address = environ.get("NOTIFY_SOCKET", "")
        watchdog_us = _watchdog_us(environ.get("WATCHDOG_USEC", ""))
        is_mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._beat_s = watchdog_us / 1e6 / _BEATS if is_mine else 0.0
        self._beating = Background(self._beat, name="watchdog", begins_anew=True)
        self._was_alive = True

    def start(self) -> None:
        """Say that the process is ready, and from now on that it lives."""
        self._tell("READY=1")
        if self._address and self._beat_s:
            self._beating.start()

    async def close(self) -> None:
        """Say that the process stops."""
        self._tell("STOPPING=1")
        await self._beating.close()

    async def _beat(self) -> None:
        while True:
            reason = await self._why_not_alive()
            if reason is None:
                self._tell("WATCHDOG=1")
            elif self._was_alive:
                log.error("systemd is not told that this process lives", why=reason)
            self._was_alive = reason is None
            await asyncio.sleep(self._beat_s)

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # an abstract one
            address = f"\0{address[1:]}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_it:
                to_it.setblocking(False)
                to_it.sendto(state.encode(), address)
        except OSError as error:
            log.debug("systemd was not told", state=state, error=str(error))


def _watchdog_us(text: str) -> int:
    """What systemd asks for, in microseconds; 0 for nothing, and for what is no such number."""
    # Of a longer one it would be thousands of years.
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    if text:
        log.warning("WATCHDOG_USEC is no number: systemd is not told of life", given=text[:100])
    return 0


@asynccontextmanager
async def telling_systemd(
    why_not_alive: Callable[[], Awaitable[str | None]],
) -> AsyncIterator[None]:
    """Ready from the beginning of the context on, stopping from its end on."""
    notices = SystemdNotices(why_not_alive, os.environ)
    notices.start()
    try:
        yield
    finally:
        await notices.close()
