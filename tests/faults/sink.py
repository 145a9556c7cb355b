"""A service whose effects can be counted, and which can be told to die or to freeze meanwhile.

`app` runs as a process (`consumers run tests.faults.sink:app`), set up by its environment; `Sink`
looks at what it stored.
"""

import asyncio
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from consumers import CommentEvent, Consumer, Entry
from gateway.contract import EntryId
from gateway.drill.effect_store import Effect, EffectStore

__all__ = ["GROUP", "SERVICE", "Sink", "app"]

GROUP = "sink"
SERVICE = "tests.faults.sink:app"


class Refused(Exception):
    """Another process has stored something for this partition under a higher epoch."""


app = Consumer(group=GROUP, stream="events")


@app.on("bitrix24.crm.timeline.comment.*")
async def store(event: CommentEvent, entry: Entry) -> None:
    await asyncio.sleep(float(os.environ.get("SINK_TAKES_S", "0")))
    _freeze()
    _die(event, "before")
    effect = Effect(
        event_id=event.id,
        comment_id=event.data.comment_id,
        entry_id=entry.id,
        partition=entry.partition,
        epoch=entry.epoch,
        pid=os.getpid(),
    )
    if not EffectStore(Path(os.environ["SINK_DIR"])).store(effect):
        raise Refused
    _die(event, "after")


def _die(event: CommentEvent, moment: str) -> None:
    """As by SIGKILL, where the environment says so: `<moment> <comment id>`."""
    if os.environ.get("SINK_DIES") == f"{moment} {event.data.comment_id}":
        os.kill(os.getpid(), signal.SIGKILL)


def _freeze() -> None:
    """As by SIGSTOP, once, when there are so many effects as the environment says."""
    directory = Path(os.environ["SINK_DIR"])
    limit = os.environ.get("SINK_FREEZES_AT")
    if limit and len(EffectStore(directory).effects()) >= int(limit):
        with suppress(FileExistsError):
            (directory / "frozen").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGSTOP)


class Sink(EffectStore):
    """What the processes that were given `environment` have stored."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.environment = {"SINK_DIR": str(directory)}
        self.prepare()

    def outcomes(self) -> Counter[str]:
        """How many calls were `stored`, `repeated` and `refused`."""
        return Counter(told.outcome for told in self.told())

    def assert_each_once(self, events: Iterable[CommentEvent]) -> None:
        """Each event has its effect, and there is no other; each comment's in order of entries."""
        effects = self.effects()
        assert Counter(one.event_id for one in effects) == Counter(event.id for event in events)
        by_comment: defaultdict[int, list[str]] = defaultdict(list)
        for one in effects:
            by_comment[one.comment_id].append(one.entry_id)
        for ids in by_comment.values():
            assert all(EntryId.of(one) < EntryId.of(next_one) for one, next_one in pairwise(ids))
