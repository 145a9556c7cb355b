"""What an operator changes by the console, and that the audit log is told."""

from typing import Any

import msgspec
from redis.asyncio import Redis

from tests.integration.runtime.running import comment_event
from tests.support.console_stage import (
    DEAD,
    EVENTS,
    SAME_ORIGIN,
    ConsoleClient,
    acts_of_operators,
    as_operator,
    dead_letter,
)

AGAIN = "b24:replay:index:{0}"


async def test_chosen_letters_are_given_back_and_it_is_recorded(
    client: ConsoleClient, redis: Redis
) -> None:
    address = await dead_letter(redis, comment_event(9))

    fields = [("group", "index"), ("address", address)]
    status, html = await as_operator(client).post("act/retry", fields, **SAME_ORIGIN)

    assert (status, "Given back" in html) == (200, True)
    assert (await redis.xlen(DEAD), await redis.xlen(AGAIN)) == (2, 1)
    assert await acts_of_operators(redis) == [
        {
            "action": "dead letters given back",
            "group": "index",
            "count": 1,
            "selection": f"1 chosen: {address}",
            "by": "",
            "let_in_by": "token",
            "address": "127.0.0.1",
        }
    ]


async def test_all_that_match_are_counted_first_and_changed_when_confirmed(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)
    await dead_letter(redis, comment_event(3), reason="rejected")
    wish = {"group": "index", "all": "1", "reason": "failed"}

    status, html = await operator.post("act/drop", wish, **SAME_ORIGIN)
    assert (status, "Yes, delete them" in html, "<strong>2</strong>" in html) == (200, True, True)
    assert (await redis.xlen(DEAD), await acts_of_operators(redis)) == (3, [])

    _, answer = await operator.post("api/drop", wish | {"confirmed": "1"})
    done = msgspec.json.decode(answer)
    assert (done["is_done"], done["count"], done["selection"]) == (True, 2, "reason=failed")
    assert await redis.xlen(DEAD) == 1
    (act,) = await acts_of_operators(redis)
    assert (act["action"], act["count"]) == ("dead letters dropped", 2)


async def test_a_group_is_paused_and_resumed(client: ConsoleClient, redis: Redis) -> None:
    operator = as_operator(client)
    wish = {"group": "index", "portal": "acme.bitrix24.com", "until": "2h"}

    assert (await operator.post("act/pause", wish, **SAME_ORIGIN))[0] == 200
    (row,) = (await client.api("groups"))["groups"]
    (pause,) = row["interventions"]["pauses"]
    assert pause["selection"] == {"portal": "acme.bitrix24.com"}
    _, html = await operator.get("groups")
    assert "paused in part" in html

    wish = {"group": "index", "portal": "acme.bitrix24.com"}
    assert (await operator.post("act/resume", wish, **SAME_ORIGIN))[0] == 200
    (row,) = (await client.api("groups"))["groups"]
    assert row["interventions"]["pauses"] == []
    assert [act["action"] for act in await acts_of_operators(redis)] == ["paused", "resumed"]


async def test_events_are_struck_and_that_is_lifted_with_a_reason(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)
    wish = {"group": "index", "subject": "comment/7", "why": "it ends the process"}

    status, html = await operator.post("act/strike", wish, **SAME_ORIGIN)
    assert (status, "Struck" in html) == (200, True)
    (row,) = (await client.api("groups"))["groups"]
    (strike,) = row["interventions"]["strikes"]
    assert strike["selection"] == {"subject": "comment/7"}
    _, html = await operator.get("groups")
    assert "/console/act/unstrike" in html
    assert "/console/act/unstrike" not in (await client.get("groups"))[1]

    wish = {"group": "index", "subject": "comment/7", "why": 400 * "x"}
    _, answer = await operator.post("api/unstrike", wish)
    assert msgspec.json.decode(answer)["count"] == 1
    await operator.post("api/strike", {"group": "index", "portal": "acme.bitrix24.com"})
    _, answer = await operator.post("api/unstrike", {"group": "index", "all": "1"})
    assert msgspec.json.decode(answer)["count"] == 1
    told = await acts_of_operators(redis)
    assert [(act["action"], act.get("reason")) for act in told] == [
        ("struck", "it ends the process"),
        ("strikes lifted", 300 * "x"),
        ("struck", None),
        ("strikes lifted", None),
    ]
    assert told[0]["selection"].startswith("subject=comment/7, since ")
    assert await redis.exists("b24:strikes:index") == 0


async def test_a_result_that_is_loaded_again_changes_nothing_again(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)
    address = await dead_letter(redis, comment_event(9))
    async with client.session.post(
        f"{client.url}act/retry",
        data={"group": "index", "address": address},
        headers=operator.headers | SAME_ORIGIN,
        allow_redirects=False,
    ) as answer:
        assert answer.status == 303
        place = answer.headers["Location"].removeprefix("/console/")

    for _ in range(2):
        status, html = await operator.get(place)
        assert (status, "Given back" in html) == (200, True)
    assert await redis.xlen(AGAIN) == 1
    assert len(await acts_of_operators(redis)) == 1
    assert (await operator.get("done/nonsense"))[0] == 404


async def test_old_events_are_counted_and_replayed_to_one_group_when_confirmed(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)
    wish = {"group": "index", "from": "1h", "type": "comment.updated"}

    _, html = await operator.post("act/replay", wish, **SAME_ORIGIN)
    assert ("Yes, replay them" in html, "<strong>10</strong>" in html) == (True, True)
    asked = msgspec.json.decode((await operator.post("api/replay", wish))[1])
    assert (asked["is_done"], asked["count"], await redis.exists(AGAIN)) == (False, 10, 0)

    fields = wish | asked["again"] | {"confirmed": "1"}
    done = msgspec.json.decode((await operator.post("api/replay", fields))[1])
    assert (done["is_done"], done["count"], done["is_more"]) == (True, 10, False)
    assert await redis.xlen(AGAIN) == 10
    (act,) = await acts_of_operators(redis)
    assert (act["action"], act["count"]) == ("replayed", 10)


async def test_a_group_is_removed_when_that_is_confirmed(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)

    _, html = await operator.post("act/remove", {"group": "index"}, **SAME_ORIGIN)
    assert ("Yes, remove it" in html, await redis.exists(DEAD)) == (True, 1)

    await operator.post("act/remove", {"group": "index", "confirmed": "1"}, **SAME_ORIGIN)
    assert await redis.exists(DEAD) == 0
    assert await redis.xinfo_groups(EVENTS) == []
    (act,) = await acts_of_operators(redis)
    assert act["action"] == "group removed"


async def test_a_group_that_is_worked_on_is_not_removed(
    client: ConsoleClient, redis: Redis
) -> None:
    lease: Any = {"owner": "one", "until": str(2**53)}
    await redis.hset("b24:lease:index:{0}", mapping=lease)
    wish = {"group": "index", "confirmed": "1"}

    status, answer = await as_operator(client).post("api/remove", wish)

    assert (status, "one works on index" in answer) == (409, True)
    assert (await redis.exists(DEAD), await acts_of_operators(redis)) == (1, [])


async def test_a_wish_that_cannot_be_understood_changes_nothing(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)

    for place, wish, expected in (
        ("retry", {}, 400),
        ("retry", {"group": "index"}, 400),
        ("retry", {"group": "index", "address": "nonsense"}, 400),
        ("retry", {"group": "index", "address": "0/1-1", "all": "1"}, 400),
        ("retry", {"group": "index", "all": "false", "confirmed": "1"}, 400),
        ("drop", {"group": "index", "all": "1", "confirmed": "no"}, 400),
        ("drop", {"group": "index", "all": "0", "confirmed": "1"}, 400),
        ("remove", {"group": "index", "confirmed": "no"}, 400),
        ("replay", {"group": "index", "from": "2h", "confirmed": "no"}, 400),
        ("resume", {"group": "index", "all": "no"}, 400),
        ("strike", {"group": "index"}, 400),
        ("strike", {"group": "nobody", "portal": "acme.bitrix24.com"}, 404),
        ("unstrike", {"group": "index"}, 400),
        ("unstrike", {"group": "index", "portal": "acme.bitrix24.com", "all": "1"}, 400),
        ("pause", {"group": "nobody"}, 404),
        ("pause", {"group": "index", "until": "yesterday"}, 400),
        ("remove", {"group": "nobody"}, 404),
        ("replay", {"group": "index"}, 400),
        ("replay", {"group": "index", "from": "nonsense"}, 400),
        ("replay", {"group": "index", "from": "1h", "stream": "dead:index"}, 400),
        ("replay", {"group": "nobody", "from": "1h"}, 404),
        ("nonsense", {}, 404),
    ):
        assert (await operator.post(f"act/{place}", wish, **SAME_ORIGIN))[0] == expected, place
    assert (await redis.xlen(DEAD), await acts_of_operators(redis)) == (2, [])


async def test_what_came_after_it_was_counted_is_not_dropped_when_that_is_confirmed(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)
    wish = {"group": "index", "all": "1", "since": "2h"}
    _, answer = await operator.post("api/drop", wish)
    counted = msgspec.json.decode(answer)
    assert (counted["is_done"], counted["count"]) == (False, 2)
    await dead_letter(redis, comment_event(3))

    status, answer = await operator.post("api/drop", wish | counted["again"] | {"confirmed": "1"})

    assert (status, msgspec.json.decode(answer)["count"]) == (200, 2)
    assert await redis.xlen(DEAD) == 1
    for moment in ("0001-01-01", "1960-01-01", "0001-01-01T00:00+14:00"):
        status = (await client.get(f"api/letters?group=index&since={moment.replace('+', '%2B')}"))[
            0
        ]
        assert status == (400 if "+" in moment else 200)


async def test_what_cannot_be_read_is_said_to_be_so(client: ConsoleClient) -> None:
    operator = as_operator(client)

    for place, kind, body in (
        ("api/retry", "application/json", b'{"group": "\xff"}'),
        ("api/retry", "application/x-www-form-urlencoded", b"group=\xff"),
        ("api/retry", "application/x-www-form-urlencoded; charset=none", b"group=index"),
        ("login", "application/json", b"nonsense"),
    ):
        headers = operator.headers | {"Content-Type": kind} | SAME_ORIGIN
        async with client.session.post(client.url + place, data=body, headers=headers) as answer:
            assert answer.status == 400, (kind, body)
    assert (await client.get("api/letters?limit=" + 5000 * "1"))[0] == 400
