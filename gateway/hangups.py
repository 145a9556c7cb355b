"""Listens for SIGHUP, by which an operator asks a process to read again what may change."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.background import Background

__all__ = ["Hangups", "stop_signals"]


def stop_signals() -> tuple[signal.Signals, ...]:
    """Those that ask a process to stop which has nothing to read again: SIGHUP among them, so that
    it is no sudden end, unless it is ignored, as nohup has it.
    """
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT, *(() if is_ignored else (signal.SIGHUP,)))


class Hangups:
    """Remembers that the signal came, from when this is made on, in the event loop that runs then.

    One that came while the signal was blocked came, too. Several that come while one is being
    answered are answered once more. Where the signal is
    ignored, as nohup has it, it stays so.
    """

    def __init__(self) -> None:
        self._came = asyncio.Event()
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._came.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    @asynccontextmanager
    async def answered_by(self, answer: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Call `answer` for each as long as the context lasts, one after the other."""

        async def follow() -> None:
            while True:
                await self._came.wait()
                self._came.clear()
                await answer()

        following = Background(follow, name="hangups", begins_anew=True)
        following.start()
        try:
            yield
        finally:
            await following.close()
