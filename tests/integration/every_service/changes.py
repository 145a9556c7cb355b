"""People who change a deal, a task and a comment, again and again."""

from typing import NamedTuple

from gateway.sandbox.bodies import EVENTS
from gateway.sandbox.live_portal import LivePortal

__all__ = ["Changes"]


class _Three(NamedTuple):
    deal: int
    task: int
    comment: int


class Changes:
    """What they have changed so far; the text of each change is another one."""

    def __init__(self, portal: LivePortal) -> None:
        self._portal = portal
        self._count = 0
        self._three = self._added()
        self.said: dict[str, str] = {}
        """By subject, what was said of it last."""
        self._note()

    async def begin_others(self) -> None:
        """Go on with three others than before."""
        self._count += 1
        self._three = self._added()
        self._note()
        await self._portal.sent()

    async def make(self, times: int) -> int:
        """Change each so many times; how many of these changes the gateway has confirmed."""
        await self._portal.sent()
        before = len(self._portal.deliveries)
        for _ in range(times):
            self._count += 1
            text = str(self._count)
            self._portal.deals.update(self._three.deal, {"TITLE": text})
            self._portal.tasks.update(self._three.task, {"TITLE": text})
            self._portal.comments.update(self._three.comment, text=text)
            self._note()
            await self._portal.sent()
        made = self._portal.deliveries[before:]
        return sum(one.status == 200 for one in made if EVENTS[one.event].row)

    def _added(self) -> _Three:
        text, portal = str(self._count), self._portal
        deal = portal.deals.add({"TITLE": text})
        task = portal.tasks.add({"TITLE": text, "RESPONSIBLE_ID": 1})
        return _Three(
            deal, task, portal.comments.add(entity_type="deal", entity_id=deal, text=text)
        )

    def _note(self) -> None:
        for kind, number in self._three._asdict().items():
            self.said[f"{kind}/{number}"] = str(self._count)
