"""Runs the demo's portal: it installs the application, and people edit comments in it.

The portal is the sandbox's, so everything goes the way it goes with Bitrix24: deliveries through
the receiver's door, the comments' text through the portal's REST methods.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Final

from gateway.contract import COMMENT_UPDATED, wire_name_of
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.delivering import SentDelivery
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.portal import SANDBOX

__all__ = ["NAME", "DemoPortal", "Say", "open_demo_portal"]

NAME: Final = "portal"
"""Under which it says what happens."""

Say = Callable[[str, str], None]
"""Prints a line under a name."""

# The last of them is the one that `gateway trigger` and the README are about.
_LAST_COMMENT_ID: Final = 999
_DEALS: Final = range(15, 20)
_PEOPLE: Final = {7: ("Boris", "Ivanov"), 8: ("Clara", "Weber"), 9: ("Diego", "Ramos")}
_TEXTS: Final = (
    "Called them, [b]no answer[/b]. Try again at {n}:00",
    "They want offer no. {n} by Friday",
    "Contract &#91;no. {n}&#93; is signed 👍",  # brackets as the portals' editors store them
    "Sent version {n} of the [url=https://example.com/offer]offer[/url]",
    "Discount of {n}% agreed with their boss",
)
_BOUND_WAIT_S: Final = 20.0
_FAREWELL_S: Final = 3.0
_POLL_S: Final = 0.1


class DemoPortal:
    """Plays a portal, and the application that it installs into the gateway at the `sandbox`."""

    def __init__(self, sandbox: Sandbox, portal: LivePortal, say: Say) -> None:
        self.sandbox = sandbox
        self._portal = portal
        self._say = say
        self._is_installed = False
        for deal, author_id in zip(_DEALS, _authors(), strict=False):
            portal.comments.add(
                entity_type="deal", entity_id=deal, text="First contact", author_id=author_id
            )
        for user_id, (name, last_name) in _PEOPLE.items():
            portal.users.add(user_id, name=name, last_name=last_name)

    async def live(self, handler_url: str) -> None:
        """Install the application, and edit a comment each second; without an end."""
        self._is_installed = True
        await self._portal.install(handler_url)
        self._say(NAME, f"installed the application; {await self._answered()}")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bound(handler_url), _BOUND_WAIT_S)
        for number in count(1):
            await self._edit(number)
            await asyncio.sleep(1)

    async def farewell(self) -> None:
        """Uninstall the application, so that the gateway forgets the portal; never takes long."""
        if self._is_installed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._portal.uninstall(clean=False)
                    self._say(NAME, f"uninstalled the application; {await self._answered()}")

    async def _edit(self, number: int) -> None:
        comment_id = _LAST_COMMENT_ID - len(_DEALS) + 1 + number % len(_DEALS)
        text = _TEXTS[number % len(_TEXTS)].format(n=number)
        self._portal.comments.update(comment_id, text=text)
        answered = await self._answered()
        deal = self._portal.comments.find(comment_id).entities[0].id
        self._say(NAME, f"comment/{comment_id} of deal {deal} edited: {text}; {answered}")

    async def _bound(self, handler_url: str) -> None:
        """Wait until the gateway has bound what is edited here."""
        while not any(  # noqa: ASYNC110 - the gateway decides
            binding.handler == handler_url
            for binding in self._portal.bindings.to_tell(wire_name_of(COMMENT_UPDATED))
        ):
            await asyncio.sleep(_POLL_S)

    async def _answered(self) -> str:
        """What came back for the first request; forgets all of them, as nobody else asks."""
        await self._portal.sent()
        deliveries = list(self._portal.deliveries)
        self._portal.deliveries.clear()
        self._portal.calls.clear()
        return _in_words(deliveries[0]) if deliveries else "nobody is told"


@asynccontextmanager
async def open_demo_portal(say: Say) -> AsyncIterator[DemoPortal]:
    """The portal and its authorization server, on free ports of this machine."""
    async with open_sandbox() as sandbox:
        portal = await sandbox.add_portal(
            member_id=SANDBOX.member_id, first_comment_id=_LAST_COMMENT_ID - len(_DEALS) + 1
        )
        yield DemoPortal(sandbox, portal, say)


def _authors() -> Iterator[int]:
    while True:
        yield from _PEOPLE


def _in_words(delivery: SentDelivery) -> str:
    if delivery.status is None:
        return f"no answer from {delivery.error}"
    stored = f", stored: {delivery.stored}" if delivery.stored else ""
    return f"the receiver answers {delivery.status} {delivery.answer}{stored}"
