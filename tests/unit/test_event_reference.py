"""The page about events: it is the catalogue, and its examples are settings."""

import re
import tomllib
from pathlib import Path

import msgspec

from gateway.contract.catalogue import CATALOGUE
from gateway.event_subscription import EventSubscription
from gateway.settings import EventSettings
from tests.event_reference import page

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def subscription_of(example: str) -> EventSubscription:
    return EventSubscription(msgspec.convert(tomllib.loads(example)["events"], list[EventSettings]))


def test_the_page_of_events_is_the_catalogue() -> None:
    assert page() == PAGE, "run `make docs`"


def test_it_has_one_line_for_each_event() -> None:
    lines = re.findall(r"^\| \[?(\w[\w.]*)\b.* \| `(bitrix24\..*?)` \|", PAGE, re.MULTILINE)

    assert lines == [(row.documented_name, row.type) for row in CATALOGUE]


def test_its_examples_are_settings_that_take_what_they_name() -> None:
    taken, declared = map(subscription_of, re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))

    assert {one: declared.fetch for one, declared in taken.fetches.items()} == {
        "bitrix24.crm.deal.updated": "crm.item.get"
    }
    assert {"bitrix24.crm.timeline.comment.added", "bitrix24.task.deleted"} <= set(taken.types)
    assert declared.rows[-1].id_places == ("data[MACHINE][ID]",)
