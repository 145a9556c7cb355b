"""Runs the demo's portal: it installs the application, and people edit comments, deals and tasks.

The portal is the sandbox's, so everything goes the way it goes with Bitrix24: deliveries through
the receiver's door, what they are about through the portal's REST methods.
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
_DEALS: Final = {
    15: "Ninety desks",
    16: "A roof of slate",
    17: "Two cranes",
    18: "An oak floor",
    19: "Garden lights",
}
_STAGES: Final = ("PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON", "NEW")
_STATUSES: Final = {"3": "begun", "4": "to be checked", "5": "completed", "2": "to do again"}
# https://apidocs.bitrix24.com/api-reference/tasks/fields.html
_PEOPLE: Final = {7: ("Boris", "Ivanov"), 8: ("Clara", "Weber"), 9: ("Diego", "Ramos")}
_TEXTS: Final = (
    "Called them, [b]no answer[/b]. Try again in {n} minutes",
    "They want offer no. {n} by Friday",
    "Contract &#91;no. {n}&#93; is signed 👍",  # brackets as the portals' editors store them
    "Sent version {n} of the [url=https://example.com/offer]offer[/url]",
    "Discount of {n}% agreed with their boss",
)
_EVERY: Final = 5
"""Of so many edits one is of a deal, and one of a task."""
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
        self._comment_edits = count(1)
        for user_id, (name, last_name) in _PEOPLE.items():
            portal.users.add(user_id, name=name, last_name=last_name)
        self._tasks = [self._deal(*one) for one in zip(_DEALS.items(), _people(), strict=False)]

    async def live(self, handler_url: str) -> None:
        """Install the application, and edit a comment, a deal or a task each second; without an
        end.
        """
        self._is_installed = True
        await self._portal.install(handler_url)
        self._say(NAME, f"installed the application; {await self._answered()}")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bound(handler_url), _BOUND_WAIT_S)
        edits = (self._comment, self._move, self._comment, self._work, self._comment)
        for number in count():
            said = edits[number % _EVERY](number)
            self._say(NAME, f"{said}; {await self._answered()}")
            await asyncio.sleep(1)

    async def farewell(self) -> None:
        """Uninstall the application, so that the gateway forgets the portal; never takes long."""
        if self._is_installed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._portal.uninstall(clean=False)
                    self._say(NAME, f"uninstalled the application; {await self._answered()}")

    def _deal(self, deal: tuple[int, str], user_id: int) -> int:
        """Make a deal with a comment and a task, whose number is the answer."""
        deal_id, title = deal
        fields = {"TITLE": title, "ASSIGNED_BY_ID": user_id, "OPPORTUNITY": 100 * deal_id}
        self._portal.deals.add(fields, entity_id=deal_id)
        self._portal.comments.add(
            entity_type="deal", entity_id=deal_id, text="First contact", author_id=user_id
        )
        return self._portal.tasks.add(
            {
                "TITLE": f"Offer: {title}",
                "RESPONSIBLE_ID": user_id,
                "UF_CRM_TASK": [f"D_{deal_id}"],
            }
        )

    def _comment(self, _: int) -> str:
        """Edit a comment; what happened, in words."""
        number = next(self._comment_edits)
        comment_id = _LAST_COMMENT_ID - len(_DEALS) + 1 + number % len(_DEALS)
        text = _TEXTS[number % len(_TEXTS)].format(n=number)
        self._portal.comments.update(comment_id, text=text)
        deal = self._portal.comments.find(comment_id).entities[0].id
        return f"comment/{comment_id} of deal {deal} edited: {text}"

    def _move(self, number: int) -> str:
        """Move a deal to its next stage."""
        turn, at = divmod(number // _EVERY, len(_DEALS))
        deal_id, title = list(_DEALS.items())[at]
        stage = _STAGES[turn % len(_STAGES)]
        self._portal.deals.update(deal_id, {"STAGE_ID": stage})
        return f"deal/{deal_id} moved to {stage}: {title}"

    def _work(self, number: int) -> str:
        """Change the status of a task."""
        turn, at = divmod(number // _EVERY, len(self._tasks))
        status, words = list(_STATUSES.items())[turn % len(_STATUSES)]
        self._portal.tasks.update(self._tasks[at], {"STATUS": status})
        return f"task/{self._tasks[at]} is {words}"

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


def _people() -> Iterator[int]:
    while True:
        yield from _PEOPLE


def _in_words(delivery: SentDelivery) -> str:
    if delivery.status is None:
        return f"no answer from {delivery.error}"
    stored = f", stored: {delivery.stored}" if delivery.stored else ""
    return f"the receiver answers {delivery.status} {delivery.answer}{stored}"
