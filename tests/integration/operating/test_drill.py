"""An operator's drill, by the commands alone: what fails is found, mended, and made good."""

import asyncio
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import yaml

from gateway.drill.delivery_load import DeliveryLoad, LoadDelivery
from gateway.local.redis_server import RedisServer
from gateway.sandbox.portal import SANDBOX
from tests.integration.deploy.test_alerts import promtool
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.integration.operating.installation import INDEX, OTHER, Installation, posted
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver
from tests.support.spooled import spooled

GROUP: Final = "search-index"
RULES: Final = Path(__file__).parents[3] / "deploy" / "prometheus" / "rules.yml"


async def outcome(here: Installation, event_id: str) -> dict[str, Any]:
    """What `gateway explain` says of the group's part."""
    way = await here.told("explain", event_id, "--within", "30")
    (found,) = (one for one in way["groups"] if one["group"] == GROUP)
    return dict(found)


async def standing(here: Installation, group: str) -> dict[str, Any]:
    rows = await here.listed("groups")
    return next((one for one in rows if one["group"] == group), {})


def handled(index: ConsumerProcess) -> set[str]:
    return {event_id for (event_id,) in index.effects()}


async def test_a_consumer_that_fails_on_a_portal_is_found_and_all_is_made_good(
    redis_url: str, tmp_path: Path
) -> None:
    async with http_sink() as sink:
        here = Installation(tmp_path, redis_url, sink_url=sink.url)
        async with here.receiving() as receiver:
            with here.consuming("notifier"), here.consuming("warehouse"):
                await eventually(lambda: standing(here, "notifier"))  # it begins with what is new
                await _mend(here, receiver)
                await _replay(here, receiver, sink)


async def _mend(here: Installation, receiver: Receiver) -> None:
    """Six events, on three of which the consumer fails; in the end it has handled each once."""
    with here.consuming(INDEX, INDEX_FAILS_FOR=OTHER.domain) as index:
        fine = await posted(receiver, SANDBOX, 1)
        seen = await here.told("status", code=1)
        assert seen["balance"]["door"]["accepted"] == 1
        given_up, failing = [await posted(receiver, OTHER, number) for number in (3, 4)]

        # Found.
        async def is_found() -> bool:
            return f"gateway dead list --group {GROUP}" in await here.remedies()

        await eventually(is_found)
        (letter,) = await here.listed("dead", "list", "--group", GROUP)
        assert letter["event_id"] == given_up
        assert (letter["portal"], letter["domain"]) == (OTHER.member_id, OTHER.domain)

        async def failure() -> dict[str, Any]:
            found = await here.listed("pending", "--group", GROUP, "--within", "30")
            return next((one for one in found if one["failure"]), {})

        stuck = await eventually(failure)
        assert (stuck["event_id"], stuck["domain"]) == (failing, OTHER.domain)

        # Explained.
        why = await outcome(here, failing)
        assert (why["state"], why["failure"]["error"]) == (
            "in hand",
            "Transient: the portal's index is locked",
        )
        assert "knows no such portal" in (await outcome(here, given_up))["letters"][0]["error"]
        assert (await outcome(here, fine))["state"] == "handled"

        # That portal paused: the others go on.
        await here.told("groups", "pause", GROUP, "--portal", OTHER.domain)
        behind = await posted(receiver, OTHER, 6)

        async def how_to_resume() -> str | None:
            found = await outcome(here, behind)
            return found["resume"] if found["state"] == "in hand" else None

        resuming = await eventually(how_to_resume)
        assert resuming in await here.remedies()
        beside = await posted(receiver, SANDBOX, 5)
        await eventually(lambda: beside in handled(index))

    # Mended: another process, which keeps to the pause.
    with here.consuming(INDEX) as index:
        after = await posted(receiver, SANDBOX, 7)
        await eventually(lambda: after in handled(index))
        assert handled(index) == {fine, beside, after}

        # Resumed, and what was given up is given back.
        await here.told(*shlex.split(resuming)[1:])
        await eventually(lambda: {failing, behind} <= handled(index))
        options = ("--portal", OTHER.domain, "--all", "--yes")
        assert await here.told("dead", "retry", "--group", GROUP, *options) == {"retried": 1}
        await eventually(lambda: given_up in handled(index))

        async def is_good() -> bool:
            found = await standing(here, GROUP)
            left = ("pending", "lag", "redeliveries", "dead_letters")
            return not any(found[name] for name in left)

        await eventually(is_good)
        assert not any(GROUP in remedy for remedy in await here.remedies())
        assert (await outcome(here, given_up))["state"] == "handled"
        assert set(Counter(event_id for (event_id,) in index.effects()).values()) == {1}


async def _replay(here: Installation, receiver: Receiver, sink: HttpSink) -> None:
    """The warehouse has lost its rows: they come back, and nobody is told of anything again."""
    await eventually(lambda: len(sink.received) == 6)
    await eventually(lambda: rows_after(here.warehouse) == 6)
    await eventually(
        lambda: rows_after(here.warehouse, "DELETE FROM bitrix24.comment_events") is not None
    )
    a_day = ("--from", "1d", "--type", "comment.updated")
    for group in ("warehouse", "notifier"):
        given = await here.told("replay", "--group", group, *a_day)
        assert given["entries"] == 6

        async def is_through(group: str = group) -> bool:
            found = await standing(here, group)
            return not found["redeliveries"] and not found["pending"]

        await eventually(is_through)
    await eventually(lambda: rows_after(here.warehouse) == 6)
    await posted(receiver, SANDBOX, 8)
    await eventually(lambda: len(sink.received) > 6)
    assert (len(sink.received), sink.doubles) == (7, 0)


def rows_after(file: Path, statement: str = "SELECT 1") -> int | None:
    """How many events the warehouse has, after that; None while it is loaded."""
    try:
        with duckdb.connect(str(file)) as connection:
            connection.execute(statement)
            query = "SELECT COUNT(*) FROM bitrix24.comment_events"
            return int(connection.execute(query).fetchall()[0][0])
    except (duckdb.IOException, duckdb.CatalogException):
        return None


async def test_with_redis_killed_all_say_so_and_a_lost_event_opens_the_balance(
    own_server: RedisServer, tmp_path: Path
) -> None:
    here = Installation(tmp_path, own_server.url)
    async with (
        here.receiving() as receiver,
        DeliveryLoad([receiver.port], rate=40, senders=4) as load,
    ):
        with here.consuming(INDEX):
            await eventually(lambda: standing(here, GROUP))
            own_server.kill()
            await load.until_answered_from("spool", timeout_s=20)
            await _look_around(here, load.deliveries)
    accepted = sum(one.is_accepted for one in load.deliveries)
    lost = spooled(here.spool)
    assert 0 < lost < accepted

    for file in here.spool.glob("spool.sqlite3*"):
        file.unlink()
    own_server.start()
    async with here.receiving() as receiver:

        async def is_noticed() -> bool:
            return f"b24gw_balance_open_events {lost}.0" in await receiver.metrics()

        await eventually(is_noticed)
        balance = await here.told("balance", code=1)
        assert balance["door"]["accepted"] == accepted
        assert [one["count"] for one in balance["missing"]] == [lost]
        assert "gateway balance" in await here.remedies()
    _assert_alert(lost, tmp_path / "rules.test.yml")


async def _look_around(here: Installation, deliveries: Sequence[LoadDelivery]) -> None:
    """Redis is dead, and events go on coming: what each screen knows, and what it does not."""
    waiting = next(one for one in reversed(deliveries) if one.stored == "spool").event_id
    stored = next(one for one in deliveries if one.stored == "stream").event_id
    status, balance, spooled_way, stored_way, found = await asyncio.gather(
        here.told("status", code=1),
        here.told("balance", code=1),
        here.told("explain", waiting, code=1),
        here.told("explain", stored, code=1),
        here.listed("doctor", code=1),
    )

    assert "does not answer" in status["redis_why_not"]
    assert (status["groups"], status["processes"], status["balance"]) == (None, None, None)
    assert status["spools"][0]["state"]["events"] > 0
    assert "does not answer" in balance["why_no_redis"]
    assert (balance["groups"], balance["door"]["in_spools"] > 0) == ([], True)
    assert (spooled_way["is_found"], spooled_way["spool"]["is_here"]) == (True, True)
    assert (stored_way["is_found"], stored_way["groups"]) == (False, [])
    assert "does not answer" in stored_way["why_no_redis"]
    of_redis = next(one for one in found if one["check"] == "redis")
    assert (of_redis["severity"], "does not answer" in of_redis["what"]) == ("red", True)


def _assert_alert(lost: int, file: Path) -> None:
    """The alert of our rules fires on what the metric has said."""
    alert = {
        "exp_labels": {"severity": "page"},
        "exp_annotations": {
            "summary": f"{lost} accepted events are nowhere",
            "description": "`gateway balance` says where they were lost, and since when.",
            "runbook": "docs/runbook/balance-open.md",
        },
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": "b24gw_balance_open_events", "values": f"0 {lost}x3"}],
        "alert_rule_test": [
            {"eval_time": "3m", "alertname": "B24BalanceOpen", "exp_alerts": [alert]}
        ],
    }
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))
    promtool("test", "rules", str(file))
