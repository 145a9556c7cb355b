"""What the console's pages say, and that the API says the same."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.portals.application_tokens import digest_of
from gateway.portals.registry import Registry
from gateway.sandbox.portal import SANDBOX
from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import (
    EVENTS,
    ConsoleClient,
    as_operator,
    dead_letter,
    failed_attempt,
)


async def test_the_first_page_says_whether_all_is_well(client: ConsoleClient) -> None:
    status, html = await client.get("")
    seen = await client.api("now")

    assert (status, "Not well" in html, "nobody works for group index" in html) == (200, True, True)
    assert seen["is_well"] is False
    (group,) = seen["status"]["groups"]
    assert (group["group"], group["waiting"], group["in_hand"]) == ("index", 7, 3)
    assert seen["balance"]["door"]["accepted"] == 0
    assert any(one["report"]["role"] == "receiver" for one in seen["status"]["processes"])


async def test_russian_is_spoken_to_who_asks_for_it(client: ConsoleClient) -> None:
    _, by_browser = await client.get("", Accept_Language="ru-RU,ru;q=0.9")
    _, by_choice = await client.get("?lang=ru")
    _, remembered = await client.get("letters")

    for html in (by_browser, by_choice):
        assert '<html lang="ru">' in html
        assert "Есть неполадки" in html
    assert '<html lang="ru">' in remembered


async def test_stuck_entries_are_shown_with_how_they_failed(
    client: ConsoleClient, redis: Redis
) -> None:
    entries: Any = await redis.xrange(EVENTS, count=1)
    ((entry_id, _),) = entries
    await failed_attempt(redis, entry_id.decode(), comment_event(1))

    _, html = await client.get("stuck?group=index")
    (group,) = (await client.api("stuck"))["groups"]

    assert "search.example.com does not answer" in html
    assert (group["pending_count"], group["entries"][0]["failure"]["attempts"]) == (3, 3)
    assert (await client.get("stuck?group=nobody"))[0] == 404
    assert (await client.get("stuck?limit=x"))[0] == 400


async def test_groups_are_shown_by_partition(client: ConsoleClient) -> None:
    _, html = await client.get("groups")
    (row,) = (await client.api("groups"))["groups"]

    assert "index" in html
    assert (row["summary"]["in_hand"], row["partitions"][0]["length"]) == (3, 10)
    assert "/console/act/pause" not in html  # a viewer's


async def test_dead_letters_are_filtered_and_harmless(client: ConsoleClient, redis: Redis) -> None:
    await dead_letter(redis, comment_event(3), reason="rejected", error="<script>alert(1)</script>")

    _, html = await client.get("letters")
    rejected = await client.api("letters?reason=rejected")
    none = await client.api("letters?portal=other.bitrix24.com")
    all_of_portal = await client.api("letters?portal=acme.bitrix24.com&type=comment.*")

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    assert [one["reason"] for one in rejected["letters"]] == ["rejected"]
    assert rejected["letters"][0]["subject"] == "comment/3"
    assert none["letters"] == []
    assert len(all_of_portal["letters"]) == 3


async def test_an_operator_sees_what_may_be_done(client: ConsoleClient) -> None:
    _, letters = await as_operator(client).get("letters?reason=failed")
    _, groups = await as_operator(client).get("groups")

    assert letters.count('name="address"') == 2
    assert 'name="reason" value="failed"' in letters
    for place in ("pause", "strike", "remove"):
        assert f"/console/act/{place}" in groups


async def test_an_event_is_found_by_its_id_its_comment_or_its_portal_and_time(
    client: ConsoleClient, redis: Redis
) -> None:
    entries: Any = await redis.xrange(EVENTS, count=1)
    event_id = msgspec.json.decode(entries[0][1][b"event"])["id"]

    status, html = await client.get(f"event?id={event_id}")
    assert (status, 'class="lane work"' in html, ">index<" in html) == (200, True, True)
    way = (await client.api("event?comment=1"))["way"]
    assert (way["event_id"], way["groups"][0]["state"]) == (event_id, "in hand")
    found = (await client.api("event?portal=acme.bitrix24.com&at=1s"))["candidates"]["found"]
    assert len(found) == 10

    _, html = await client.get("event?id=01a20519-8d87-7177-989d-ac8da4341f00")
    assert "Not here" in html
    assert (await client.get("event?id=nonsense"))[0] == 404
    assert (await client.get("event?portal=acme.bitrix24.com"))[0] == 400
    assert (await client.get("event?comment=x"))[0] == 400


async def test_the_tail_has_the_newest_first_and_only_what_is_wanted(
    client: ConsoleClient,
) -> None:
    _, html = await client.get("tail")
    newest = await client.api("tail?limit=3")
    none = await client.api("tail?portal=other.bitrix24.com")
    letters = await client.api("tail?stream=dead:index")

    assert "comment/10" in html
    assert [one["subject"] for one in newest["entries"]] == [
        "comment/10",
        "comment/9",
        "comment/8",
    ]
    assert (none["entries"], none["is_whole"]) == ([], True)
    assert len(letters["entries"]) == 2
    assert (await client.get("tail?stream=nonsense"))[0] == 400


async def test_what_comes_is_sent_while_it_comes(client: ConsoleClient, redis: Redis) -> None:
    await as_operator(client).get("tail")
    async with client.session.get(
        f"{client.url}api/tail/live?type=*.added", headers=client.headers
    ) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        added = replace(comment_event(12), type="bitrix24.crm.timeline.comment.added")
        while True:  # until it follows: what came before is not sent
            await publish(redis, EVENTS, [comment_event(11), added])
            line = await answer.content.readline()
            if line.startswith(b"data: "):
                break
        batch = msgspec.json.decode(line.removeprefix(b"data: "))
        assert (await client.get("api/tail/live?stream=nonsense"))[0] == 400

        # Who follows does not hold up a stop.
        assert await client.receiver.stop() == 0

    assert {one["subject"] for one in batch["entries"]} == {"comment/12"}


async def test_of_two_portals_of_one_domain_neither_is_guessed(
    client: ConsoleClient, redis: Redis
) -> None:
    registry = Registry(redis, prefix="b24")
    for member_id in ("first", "second"):  # as when a portal was deleted, and made anew
        digest = digest_of(f"fake-{member_id}")
        await registry.add(member_id, "twice.example", digest, now=datetime.now(UTC))

    status, answer = await client.get("api/portals?portal=twice.example")
    assert (status, "give a member_id" in answer) == (400, True)
    assert (await client.api("portals?portal=second"))["standing"]["member_id"] == "second"


async def test_portals_are_listed_searched_and_asked(client: ConsoleClient) -> None:
    _, html = await client.get("portals")
    none = await client.api("portals?q=nothing-like-this")
    asked = await client.api(f"portals?portal={SANDBOX.member_id}")

    assert SANDBOX.domain in html
    assert (none["count"], none["matching"], none["portals"]) == (1, 0, [])
    assert asked["standing"]["member_id"] == SANDBOX.member_id
    assert asked["faults"] == []
    assert (await client.get("portals?portal=nobody"))[0] == 404


async def test_the_doctor_is_asked_by_a_page(client: ConsoleClient) -> None:
    status, html = await client.get("doctor")
    found = await client.api("doctor")

    assert status == 200
    assert ("Looking" in html) == found["is_under_way"] or found["findings"]


async def test_what_is_not_there_says_so(client: ConsoleClient) -> None:
    status, html = await client.get("nonsense")

    assert (status, "there is nothing at /console/nonsense" in html) == (404, True)
    assert (await client.get("api/nonsense"))[0] == 404


async def test_what_is_looked_for_in_vain_can_be_looked_for_longer(client: ConsoleClient) -> None:
    lost = "01a20519-8d87-7177-989d-ac8da4341f00"

    for place in ("tail?type=deal.updated", f"event?id={lost}", "event?comment=77", "letters"):
        joint = "&" if "?" in place else "?"
        short = await client.api(place)
        longer = await client.api(f"{place}{joint}longer=1")
        assert short["is_whole"] is longer["is_whole"] is True, place
        assert (await client.get(f"{place}{joint}longer=x"))[0] == 400, place
    assert (await client.get("stuck?group=index&longer=x"))[0] == 400


async def test_the_audit_log_and_the_warehouse_are_asked_when_somebody_wants_to(
    client: ConsoleClient, redis: Redis
) -> None:
    entries: Any = await redis.xrange(EVENTS, count=1)
    event_id = msgspec.json.decode(entries[0][1][b"event"])["id"]

    _, html = await client.get(f"event?id={event_id}")
    assert f"/console/event?id={event_id}&amp;kept=1" in html
    assert (await client.api(f"event?id={event_id}"))["way"]["kept"] is None

    found = (await client.api(f"event?id={event_id}&kept=1"))["way"]["kept"]
    assert [(one["place"], one["state"]) for one in found] == [
        ("audit log", "not known"),
        ("warehouse", "not known"),
    ]
    _, html = await client.get(f"event?id={event_id}&kept=1")
    assert "there is no var/audit on this machine" in html
    assert 'data-refresh-s="5"' not in html
    assert (await client.get(f"event?id={event_id}&kept=x"))[0] == 400
