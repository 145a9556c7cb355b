"""What the README tells its reader to copy works."""

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import msgspec

import consumers.cli
import gateway.cli
from consumers import Consumer
from gateway.contract import COMMENT_UPDATED, EVENT_TYPES, CommentEvent
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.form_fields import extract
from gateway.local.demo_settings import FEED_TOKEN
from gateway.portals.directory import Directory, portals_of
from gateway.sandbox.portal import SANDBOX
from gateway.settings import FeedSettings, HttpSettings, PortalSettings, load

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(language: str, holding: str) -> str:
    """The code block of this language with this word in it."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (found,) = [text for text in blocks if holding in text]
    return found


def fields_to_copy() -> dict[str, str]:
    """The fields of the `curl`."""
    words = shlex.split(block("sh", "--data-urlencode").replace("\\\n", ""))
    assert f"http://127.0.0.1:{HttpSettings().port}{HttpSettings().path}" in words
    pairs = (words[i + 1] for i, word in enumerate(words) if word == "--data-urlencode")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def secrets_to_copy() -> list[str]:
    return [value for name, value in fields_to_copy().items() if "token" in name]


def test_the_body_to_copy_is_admitted_by_the_demo_as_an_update_of_a_comment() -> None:
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in fields_to_copy().items())
    demo = PortalSettings(
        member_id=SANDBOX.member_id,
        domain=SANDBOX.domain,
        application_tokens=(SANDBOX.application_token,),
    )

    admission = Admission(Directory(portals_of([demo])), EventSubscription())
    verdict = admission.admit(extract(body.encode()), receipt_id="id", received_ms=1)

    assert isinstance(verdict, Admitted)
    assert verdict.event.type == COMMENT_UPDATED
    assert verdict.event.subject == "comment/999"


def test_the_stream_to_copy_is_that_of_the_demo() -> None:
    words = shlex.split(block("sh", "/events/stream"))

    assert f"Authorization: Bearer {FEED_TOKEN}" in words
    assert f"{FeedSettings().local_url}/events/stream" in words


def test_the_events_to_copy_are_taken_and_their_objects_fetched(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(block("toml", "[[events]]"))

    fetches = load(str(config), {}).subscription.fetches
    assert fetches["bitrix24.crm.deal.updated"].fetch == "crm.item.get"
    assert f"{len(EVENT_TYPES)} events" in README


def test_the_portal_to_copy_is_one(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(block("toml", "[[portals]]"))

    (portal,) = load(str(config), {}).portals
    assert portal.application_tokens == ("env:ACME_APPLICATION_TOKEN",)


def test_the_consumer_to_copy_handles_updates_of_comments() -> None:
    names: dict[str, Any] = {}
    exec(block("python", "Consumer("), names)
    app = names["app"]

    assert isinstance(app, Consumer)
    assert app.handler_of(COMMENT_UPDATED) is not None


def test_the_entry_that_is_shown_is_one_and_has_no_secret() -> None:
    shown = block("json", '"specversion"')
    event = msgspec.convert(msgspec.json.decode(shown)["event"], CommentEvent)

    assert event.data.comment_id == 999
    assert not [value for value in secrets_to_copy() if value in shown]


def test_every_command_is_listed() -> None:
    listed = re.findall(r"(?m)^\| `((?:gateway|consumers) [a-z]+)[^`]*` \|", README)

    assert sorted(listed) == sorted(
        f"{program} {name}"
        for program, table in (
            ("gateway", gateway.cli.TABLE),
            ("consumers", consumers.cli.TABLE),
        )
        for name in table
    )
