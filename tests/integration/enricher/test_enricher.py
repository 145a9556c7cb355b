"""Every event comes out on `comments`, with what is to be said of its comment."""

from msgspec.structs import replace
from structlog.testing import capture_logs

from consumers.testing import comment_event
from gateway.contract import APP_INSTALLED, AppData, AppEvent, Comment, encode_event, source_of
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import VaultSettings
from tests.integration.enricher.conftest import COMMENTS, EVENTS, Scene


def batches(portal: LivePortal) -> list[int]:
    """How many comments each request asked for."""
    return [len(call.commands) for call in portal.calls if call.method == "batch"]


async def test_events_of_comments_come_out_with_them_and_others_as_they_are(scene: Scene) -> None:
    portal = await scene.portal()
    comment_id = portal.comments.add(
        entity_type="deal", entity_id=2, text="Call [b]Anna[/b] 😀", author_id=7, files=("a.pdf",)
    )
    updated = await scene.happened(portal, comment_id)
    app = AppEvent(
        id="01936b2e-0000-7000-8000-000000000000",
        source=source_of(portal.member_id),
        type=APP_INSTALLED,
        subject="app",
        time="2025-12-18T08:18:53Z",
        receivedat="2025-12-18T08:18:53.412Z",
        data=AppData(member_id=portal.member_id, domain="acme.example"),
    )
    strange = b'{"specversion":"1.0","id":"x","source":"s","type":"later","subject":"y",'
    strange += b'"time":"2025-12-18T08:18:53Z","receivedat":"2025-12-18T08:18:53.412Z","new":[1]}'
    await scene.redis.xadd(EVENTS, {"event": encode_event(app)})
    await scene.redis.xadd(EVENTS, {"event": strange})
    async with scene.enriching():
        await scene.until_settled()

    out = {event_id: comment for event_id, comment, _is_old in await scene.out()}
    assert set(out) == {updated.id, app.id, "x"}
    comment = out[updated.id]
    assert isinstance(comment, Comment)
    assert (comment.state, comment.text, comment.text_plain) == (
        "present",
        "Call [b]Anna[/b] 😀",
        "Call Anna 😀",
    )
    assert (comment.author_id, comment.entity_type, comment.entity_id) == (7, "deal", 2)
    assert [file.name for file in comment.files] == ["a.pdf"]
    raw = [fields[b"event"] for _id, fields in await scene.redis.xrange(COMMENTS) or ()]  # type: ignore[index]
    assert {encode_event(app), strange} < set(raw)


async def test_events_of_one_comment_share_one_fetch_made_after_the_last_of_them(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    (comment_id,) = scene.written(portal, 1)
    events = [await scene.happened(portal, comment_id) for _ in range(20)]
    async with scene.enriching():
        await scene.until_settled()

    out = await scene.out()
    assert [event_id for event_id, _comment, _is_old in out] == [event.id for event in events]
    assert batches(portal) == [1]


async def test_a_deletion_asks_nobody_and_knows_whose_comment_it_was(scene: Scene) -> None:
    portal = await scene.portal()
    comment_id, unseen = scene.written(portal, 2)
    present = await scene.happened(portal, comment_id, "added")
    async with scene.enriching():
        await scene.until_settled()
        asked = len(portal.calls)
        portal.comments.delete(comment_id)
        deleted = await scene.happened(portal, comment_id, "deleted")
        unknown = await scene.happened(portal, unseen, "deleted")
        await scene.until_settled()

    out = {event_id: comment for event_id, comment, _is_old in await scene.out()}
    before, after = out[present.id], out[deleted.id]
    assert before is not None
    assert after == Comment(
        state="deleted",
        author_id=7,
        entity_type="deal",
        entity_id=2,
        created_at=before.created_at,
        content_hash=before.content_hash,
    )
    assert out[unknown.id] == Comment(state="deleted")
    assert len(portal.calls) == asked


async def test_a_comment_that_is_not_found_is_deleted(scene: Scene) -> None:
    portal = await scene.portal()
    (comment_id,) = scene.written(portal, 1)
    await scene.happened(portal, comment_id, "added")
    async with scene.enriching():
        await scene.until_settled()
        portal.comments.delete_entity("deal", 2)
        await scene.happened(portal, comment_id)
        await scene.until_settled()

    comment = (await scene.out())[-1][1]
    assert comment is not None
    assert (comment.state, comment.text, comment.author_id) == ("deleted", None, 7)
    assert comment.fetched_at is not None


async def test_snapshots_are_encrypted_expire_and_open_for_their_own_comment_only(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    first, second = scene.written(portal, 2)
    async with scene.enriching():
        for comment_id in (first, second):
            await scene.happened(portal, comment_id)
        await scene.until_settled()
        keys = [f"b24:snapshot:{{0}}:acme:{comment_id}" for comment_id in (first, second)]
        sealed = [await scene.redis.get(key) for key in keys]
        assert 29 * 86_400_000 < await scene.redis.pttl(keys[0]) <= 30 * 86_400_000
        assert all(one and b"deal" not in one and b"author" not in one for one in sealed)
        await scene.redis.set(keys[0], sealed[1] or b"")
        await scene.redis.set(keys[1], b"broken")
        with capture_logs() as logs:
            for comment_id in (first, second):
                await scene.happened(portal, comment_id, "deleted")
            await scene.until_settled()

    assert [one[1] for one in (await scene.out())[2:]] == [Comment(state="deleted")] * 2
    told = [line for line in logs if line["event"] == "a snapshot cannot be read"]
    assert {line["comment_id"] for line in told} == {first, second}


async def test_without_credentials_and_keys_everything_comes_out_and_is_told_once(
    scene: Scene,
) -> None:
    events = [comment_event(number, member_id=f"m{number % 2}") for number in range(1, 5)]
    gone = comment_event(9, "deleted", member_id="m1")
    await scene.publish([*events, gone])
    settings = replace(scene.settings(), vault=VaultSettings())
    with capture_logs() as logs:
        async with scene.enriching(settings):
            await scene.until_settled()

    out = {event_id: comment for event_id, comment, _is_old in await scene.out()}
    assert out[gone.id] == Comment(state="deleted")
    assert {out[event.id] for event in events} == {
        Comment(state="unavailable", reason="no_credentials")
    }
    assert await scene.redis.keys("b24:snapshot*") == []
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    assert sorted(warnings) == [
        "comments of a portal go out without their text; told once",
        "comments of a portal go out without their text; told once",
        "no [vault] keys: deletions will not say what was last known",
        "no portal can be asked: events go out without texts and fields",
    ]
