"""Since when a portal's queue waits, by what the portal says of its first row."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from gateway.bitrix24.answers import Answer
from gateway.bitrix24.batching import Command
from gateway.bitrix24.client import PortalClient
from gateway.portal_health.portal_query import ask_application


class PortalWithAQueue:
    """A portal whose queue has one row, queued at `moment`."""

    def __init__(self, moment: object) -> None:
        self._row = {"ID": 1, "TIMESTAMP_X": moment}

    async def batch(self, commands: Mapping[str, Command], **_: Any) -> dict[str, Answer]:
        answers = dict.fromkeys(commands, Answer(result={}))
        return answers | {"queue": Answer(result=[self._row], total=1)}


@pytest.mark.parametrize(
    ("moment", "waiting_since"),
    [
        ("2024-07-18T12:32:31+02:00", 1_721_298_751),
        ("2024-07-18T10:32:31Z", 1_721_298_751),
        ("2024-07-18T12:32:31", None),
        ("2024-07-18 12:32:31", None),
        ("", None),
        (None, None),
    ],
)
async def test_a_time_without_a_zone_is_not_taken_for_one_of_this_machine(
    moment: object, waiting_since: int | None
) -> None:
    portal = cast("PortalClient", PortalWithAQueue(moment))

    answers = await ask_application(portal, ())

    assert (answers.queue, answers.waiting_since) == (1, waiting_since)
