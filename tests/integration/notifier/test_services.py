"""What real services are sent, by Apprise's own plugins, of comments that are hostile or long."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from apprise.manager_plugins import NotificationManager

from consumers.notifier.notices import Notice
from consumers.notifier.routes import Channel, routes_of
from consumers.notifier.samples import samples
from gateway.contract import COMMENT_UPDATED, Comment, encode_event
from gateway.settings import NotifierSettings, RouteSettings, Settings
from tests.integration.notifier.desk import with_text
from tests.integration.notifier.processes import comment_event
from tests.integration.notifier.services import Asked, Services, services

DISCORD = "discord://123456789012345678/fake0discord0webhook0token0000000000"
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/fake0slack0webhook0token"
TELEGRAM = "tgram://123456789:fake_telegram_token/12345"
MATTERMOST = "mmosts://chat.example.com/fake0mattermost0webhook0id"
ROCKET = "rockets://fake0rocket0chat0webhook/fake0token@rocket.example.com"
ZULIP = "zulip://bot@example/fake0zulip0token0000000000000000/general"
GOOGLE = "gchat://workspace/fakekey/faketoken"
TALK = "nctalks://gateway:fake@cloud.example.com/room"
PUSHOVER = "pover://fakeuserfakeuserfakeuserfakeus@faketokenfaketokenfaketokenfak"
SMS = "clicksend://gateway:fake@12025550123"


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Services]:
    for plugin in NotificationManager().plugins():  # those that wait between two messages
        monkeypatch.setattr(plugin, "request_rate_per_sec", 0)
    async with services(monkeypatch, tmp_path) as all_of_them:
        yield all_of_them


def channel_of(url: str) -> Channel:
    # The names lead to loopback.
    settings = Settings(
        notifier=NotifierSettings(routes=(RouteSettings(urls=(url,)),), allow_private=True)
    )
    ((channel,),) = (route.channels for route in routes_of(settings))
    return channel


def notice_of(text: str, **fields: Any) -> Notice:
    comment = Comment(
        state="present", text=text, author_id=8, entity_type="deal", entity_id=2, **fields
    )
    event = with_text(comment_event(999), comment)
    return Notice(
        event_id=event.id, raw=encode_event(event), first="changed", last="changed", since_ms=0
    )


async def told(url: str, world: Services, *notices: Notice) -> dict[str, Any]:
    """What the service is sent about them."""
    channel = channel_of(url)
    world.answer = lambda _: web.Response(text="ok") if "slack" in url else web.json_response({})
    message = channel.templates.message(notices, channel.target.room)
    outcome = await channel.target.deliver(message, message_id="e1")
    channel.target.close()
    assert outcome.is_accepted, outcome.reason
    return world.asked[-1].form


HOSTILE = (
    "*bold* a_b <@7> <@&8> <#9> @anna @everyone <!channel> <https://evil.example|bank> "
    "[bank](https://evil.example)\n\n- item https://e.com/a_b"
)


async def test_discord_gets_markdown_in_which_a_comment_means_nothing(world: Services) -> None:
    content = (await told(DISCORD, world, notice_of(HOSTILE)))["content"]

    assert r"\*bold\* a\_b" in content
    assert "> \\- item <https://e.com/a_b>" in content
    assert "[Open in Bitrix24](https://acme.bitrix24.com/crm/deal/details/2/)" in content
    for meaning in ("<@7", "@&8", "<#9", "@anna", "@everyone", "](https://evil"):
        assert meaning not in content


async def test_discord_finds_nobody_to_mention_in_an_embed(world: Services) -> None:
    form = await told(f"{DISCORD}?format=markdown", world, notice_of(HOSTILE))

    assert r"\*bold\*" in form["embeds"][0]["description"]
    assert not {"content", "allow_mentions", "allowed_mentions"} & form.keys()


@pytest.mark.parametrize("asked", ["", "?format=markdown", "?format=text"])
async def test_slack_gets_text_without_a_backslash(world: Services, asked: str) -> None:
    form = await told(SLACK + asked, world, notice_of(HOSTILE))

    assert form["mrkdwn"] is False
    text = form["attachments"][0]["text"]
    assert "\\" not in text
    assert "*bold* a_b" in text
    assert "https://e.com/a_b" in text
    assert "<" not in text
    assert "@anna" not in text


@pytest.mark.parametrize("asked", ["", "?format=markdown", "?format=markdown&mdv=v2"])
async def test_telegram_gets_html_whatever_the_url_asks_for(world: Services, asked: str) -> None:
    form = await told(TELEGRAM + asked, world, notice_of(f"{HOSTILE}[quote][b]1[/b].[/quote]"))

    assert form["parse_mode"] == "HTML"
    assert "*bold* a_b" in form["text"]
    assert "<b>1</b>." in form["text"]
    assert form["text"].count("<blockquote>") == 1
    assert "@anna" not in form["text"]
    assert "\\" not in form["text"]


@pytest.mark.parametrize("url", [MATTERMOST, ROCKET, TALK])
async def test_services_that_always_read_markdown_get_it_escaped(world: Services, url: str) -> None:
    form = await told(url, world, notice_of(HOSTILE))

    text = form.get("text") or form["message"]
    assert r"\*bold\* a\_b" in text
    assert "[Open in Bitrix24](https://acme.bitrix24.com" in text
    for meaning in ("<@7", "@&8", "<#9", "@anna", "@everyone", "<!channel", "](https://evil"):
        assert meaning not in text
    assert "<https://evil.example|" not in text


@pytest.mark.parametrize("url", [ZULIP, GOOGLE])
async def test_services_whose_markdown_has_no_escape_get_text(world: Services, url: str) -> None:
    form = await told(url, world, notice_of(HOSTILE))

    text = form.get("text") or form["content"]
    assert "\\" not in text
    for meaning in ("<@7", "@&8", "<#9", "@anna", "@everyone", "<!channel", "](https://evil"):
        assert meaning not in text
    assert "<https://evil" not in text


LONG = "Call [b]Anna[/b] & [i]Boris[/i] about *A* and a_b 👍. " * 120


@pytest.mark.parametrize(
    ("url", "limit", "field"),
    [
        (DISCORD, 2000, lambda form: form["content"]),
        (TELEGRAM, 4096, lambda form: form["text"]),
        (MATTERMOST, 4000, lambda form: form["text"]),
        (ROCKET, 1000, lambda form: form["text"]),
        (GOOGLE, 4000, lambda form: form["text"]),
        (PUSHOVER, 1024, lambda form: form["message"]),
    ],
    ids=["discord", "telegram", "mattermost", "rocket", "google", "pushover"],
)
async def test_a_long_comment_is_cut_to_what_the_service_takes(
    world: Services, url: str, limit: int, field: Any
) -> None:
    text = field(await told(url, world, notice_of(LONG)))

    assert limit * 0.85 < len(text.encode("utf-16-le")) // 2 <= limit
    assert "…" in text
    assert "https://acme.bitrix24.com/crm/deal/details/2/" in text
    assert "Comment 999 was updated by user 7" in text
    assert text.count("<b>") == text.count("</b>")
    assert text.count("**") % 2 == 0


async def test_a_message_for_a_service_that_takes_little_still_has_its_link(
    world: Services,
) -> None:
    form = await told(SMS, world, notice_of(LONG))

    ((sent),) = form["messages"]
    assert len(sent["body"]) <= 160
    assert "Comment updated: deal 2" in sent["body"]
    assert sent["body"].endswith("https://acme.bitrix24.com/crm/deal/details/2/")


async def test_a_digest_names_as_many_comments_as_there_is_room_for(world: Services) -> None:
    notices = [notice_of(f"{number} {LONG}") for number in range(60)]

    content = (await told(DISCORD, world, *notices))["content"]

    assert len(content) <= 2000
    shown = content.count("• ")
    assert shown > 4
    assert content.endswith(f"… and {60 - shown} more")


async def test_a_url_that_says_what_to_do_with_too_much_is_obeyed(world: Services) -> None:
    await told(f"{DISCORD}?overflow=split", world, notice_of(LONG))

    contents = [asked.form["content"] for asked in world.asked]
    assert len(contents) > 1
    assert "".join(contents).count("Anna") == 120


async def test_a_long_title_is_cut_to_what_the_service_takes(world: Services) -> None:
    channel = channel_of(ZULIP)
    comment = Comment(state="present", text="x", entity_type="dynamic_1234567890" * 4, entity_id=2)
    event = with_text(comment_event(999), comment)
    notice = Notice(
        event_id=event.id, raw=encode_event(event), first="changed", last="changed", since_ms=0
    )

    message = channel.templates.message([notice], channel.target.room)

    assert len(message.title) <= 60
    assert message.title.endswith("…")


async def test_xml_can_be_read_whatever_stands_in_a_comment(world: Services) -> None:
    received: list[str] = []

    def answer(asked: Asked) -> web.Response:
        received.append(asked.text)
        return web.Response()

    channel = channel_of("xmls://hook.example.com/")
    message = channel.templates.message(
        [notice_of("a\x01b\x1bc\x0bd\x7f\ufffe <x> & [code]\x02[/code]")]
    )
    world.answer = answer
    outcome = await channel.target.deliver(message, message_id="e1")
    channel.target.close()

    assert outcome.is_accepted, outcome.reason
    shown = "".join(ET.fromstring(received[0]).itertext())
    assert "abcd <x> &" in shown


@pytest.mark.parametrize("url", [DISCORD, SLACK, TELEGRAM, MATTERMOST, ROCKET, ZULIP, PUSHOVER])
async def test_every_sample_fits_every_service(world: Services, url: str) -> None:
    channel = channel_of(url)
    room = channel.target.room
    assert room is not None

    for _name, notices in samples():
        message = channel.templates.message(notices, room)
        assert room.holds(message.title, message.body)
        assert len(message.title) <= room.title
    assert any(name == "a long comment" for name, _ in samples((COMMENT_UPDATED,)))
