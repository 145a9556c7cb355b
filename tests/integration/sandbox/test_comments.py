"""`crm.timeline.comment.*`, and which events a change fires."""

import pytest

from gateway.sandbox.announcing import Actor
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.conftest import Call, Handler

UPDATE = "crm.timeline.comment.update"
GET = "crm.timeline.comment.get"
LIST = "crm.timeline.comment.list"


async def bind_all(call: Call, handler: Handler) -> None:
    for event in ("Add", "Update", "Delete"):
        told = await call("event.bind", event=f"onCrmTimelineComment{event}", handler=handler.url)
        assert told.tree["result"] is True
    handler.bodies.clear()


async def test_comment_is_told_with_strings_and_capitals(portal: LivePortal, call: Call) -> None:
    comment_id = portal.comments.add(
        entity_type="deal", entity_id=15, text="[b]Hello[/b] 😀", author_id=7
    )

    told = await call(GET, ID=str(comment_id))

    assert told.status == 200
    created = told.tree["result"].pop("CREATED")
    assert created.endswith("+03:00")
    assert told.tree["result"] == {
        "ID": str(comment_id),
        "ENTITY_ID": 15,
        "ENTITY_TYPE": "deal",
        "COMMENT": "[b]Hello[/b] :f09f9880:",
        "AUTHOR_ID": "7",
    }


async def test_files_come_as_a_list_a_map_or_not_at_all(portal: LivePortal, call: Call) -> None:
    ids = [
        portal.comments.add(entity_type="deal", entity_id=1, text="x", files=files)
        for files in (["a.gif"], ["b.pdf", "c.pdf"], [])
    ]

    first, second, third = [(await call(GET, id=one)).tree["result"] for one in ids]

    assert [file["name"] for file in first["FILES"]] == ["a.gif"]
    assert first["FILES"][0]["image"] == {"width": 1, "height": 1}
    assert {key: file["name"] for key, file in second["FILES"].items()} == {
        "1": "b.pdf",
        "2": "c.pdf",
    }
    assert second["FILES"]["1"]["image"] is False
    assert "FILES" not in third


async def test_reading_what_is_not_there_or_not_allowed_has_an_empty_code(
    portal: LivePortal, call: Call
) -> None:
    hidden = portal.comments.add(entity_type="lead", entity_id=3, text="x")
    portal.users.hide("lead", 3)

    gone, denied, wrong = [await call(GET, id=one) for one in (999, hidden, "x")]
    denied_list = await call(LIST, filter={"ENTITY_TYPE": "lead", "ENTITY_ID": 3})

    assert {told.status for told in (gone, denied, wrong, denied_list)} == {400}
    assert gone.tree == {"error": "", "error_description": "Not found."}
    assert denied.tree == {"error": "", "error_description": "Access denied."}
    assert wrong.tree == {"error": "", "error_description": "ID is not defined or invalid."}
    assert denied_list.tree == denied.tree


async def test_list_comes_in_pages_in_the_order_that_is_asked(
    portal: LivePortal, call: Call
) -> None:
    for number in range(120):
        portal.comments.add(entity_type="deal", entity_id=1, text=f"{number}")
    portal.comments.add(entity_type="deal", entity_id=2, text="another deal's")
    asked = {"filter": {"ENTITY_ID": 1, "ENTITY_TYPE": "deal"}, "order": {"ID": "DESC"}}

    first = (await call(LIST, asked, select=["ID", "COMMENT"])).tree
    last = (await call(LIST, asked, start=100)).tree

    assert first["result"][0] == {"ID": "120", "COMMENT": "119"}
    assert (len(first["result"]), first["total"], first["next"]) == (50, 120, 50)
    assert (len(last["result"]), last["total"]) == (20, 120)
    assert "next" not in last


async def test_application_writes_edits_and_deletes(portal: LivePortal, call: Call) -> None:
    fields = {"ENTITY_ID": 5, "ENTITY_TYPE": "deal", "COMMENT": "one"}
    added = await call("crm.timeline.comment.add", fields=fields)
    comment_id = added.tree["result"]
    file = {"COMMENT": "two", "FILES": [["a.txt", "aGVsbG8="]]}
    edited = await call(UPDATE, id=comment_id, fields=file)
    comment = portal.comments.find(comment_id)
    assert (comment.text, [one.name for one in comment.files]) == ("two", ["a.txt"])
    deleted = await call("crm.timeline.comment.delete", id=comment_id)
    again = await call("crm.timeline.comment.delete", id=comment_id)

    assert edited.tree["result"] == comment_id
    assert "result" in deleted.tree
    assert deleted.tree["result"] is None
    assert (again.status, again.tree["error"]) == (400, "NOT_FOUND")


async def test_only_the_author_edits(portal: LivePortal, call: Call) -> None:
    foreign = portal.comments.add(entity_type="deal", entity_id=1, text="x", author_id=7)

    told = await call(UPDATE, id=foreign, fields={"COMMENT": "y"})

    assert (told.status, told.tree["error"]) == (400, "ACCESS_DENIED")


async def test_fields_are_taken_in_small_letters_only(portal: LivePortal, call: Call) -> None:
    told = await call("crm.timeline.comment.add", FIELDS={"ENTITY_ID": 5})

    assert (told.status, told.tree["error"]) == (400, "100")


async def test_every_change_is_told_even_one_that_changes_nothing(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await bind_all(call, handler)
    comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="same", author_id=7)
    portal.comments.update(comment_id, text="same")
    portal.comments.delete(comment_id)
    await portal.sent()

    assert handler.names == [
        "ONCRMTIMELINECOMMENTADD",
        "ONCRMTIMELINECOMMENTUPDATE",
        "ONCRMTIMELINECOMMENTDELETE",
    ]
    assert {str(event["data"]) for event in handler.events} == {
        str({"FIELDS": {"ID": str(comment_id)}})
    }
    auths = [event["auth"] for event in handler.events]
    assert all(isinstance(auth, dict) and auth["user_id"] == "7" for auth in auths)
    assert all(isinstance(auth, dict) and "refresh_token" not in auth for auth in auths)


async def test_edit_of_a_comment_of_two_entities_makes_a_copy(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await bind_all(call, handler)
    shared = portal.comments.add(
        entity_type="deal", entity_id=1, text="x", also_in=[("contact", 2)]
    )
    copy = portal.comments.update(shared, text="y", in_entity=("contact", 2))
    await portal.sent()

    assert copy != shared
    told = [(event["event"], str(event["data"])) for event in handler.events]
    assert [(name[20:], str(copy) in data) for name, data in told if isinstance(name, str)] == [
        ("ADD", False),
        ("ADD", True),
        ("UPDATE", True),
    ]
    assert portal.comments.find(shared).text == "x"


async def test_comments_that_go_with_their_deal_are_not_told(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=1, text="x")
    await bind_all(call, handler)
    portal.comments.delete_entity("deal", 1)
    await portal.sent()

    assert handler.bodies == []
    told = await call(GET, id=comment_id)
    assert told.tree["error_description"] == "Not found."


async def test_nobody_in_particular_leaves_no_token(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await bind_all(call, handler)
    portal.comments.add(entity_type="deal", entity_id=1, text="by a robot", actor=Actor())
    await portal.sent()

    (event,) = handler.events
    auth = event["auth"]
    assert isinstance(auth, dict)
    assert set(auth) == {
        "domain", "client_endpoint", "server_endpoint", "member_id", "application_token"
    }  # fmt: skip
    assert auth["application_token"] == portal.application_token


@pytest.mark.parametrize("token_of", ["event", "installation"])
async def test_chain_of_events_and_calls_ends_by_itself(
    portal: LivePortal, call: Call, handler: Handler, token_of: str
) -> None:
    await bind_all(call, handler)
    comment_id = portal.comments.add(entity_type="deal", entity_id=1, text="0")
    await portal.sent()
    for number in range(10):
        before = len(handler.bodies)
        auth = handler.events[-1]["auth"]
        assert isinstance(auth, dict)
        more = {"auth": auth["access_token"]} if token_of == "event" else {}
        await call(UPDATE, id=comment_id, fields={"COMMENT": f"{number}"}, **more)
        await portal.sent()
        if len(handler.bodies) == before:
            break

    assert len(handler.bodies) == (7 if token_of == "event" else 11)
