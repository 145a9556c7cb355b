"""The page about events: it is the catalogue, and its examples are settings."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from gateway.contract.catalogue import CATALOGUE
from gateway.event_subscription import EventSubscription
from gateway.settings import EventSettings
from tests.event_reference import page


def docs(page: str) -> str:
    return (Path(__file__).parents[2] / "docs" / page).read_text()


PAGE = docs("events.md")


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


@pytest.mark.parametrize("page", ["bitrix24.md", "bitrix24.ru.md"])
def test_what_administrators_are_told_to_tick_are_events_with_that_right(page: str) -> None:
    """And both pages tell of the same."""
    lines = re.findall(r"^\| .* \| .*\(`(\w+)`\) \| (`[A-Z.` ]+`) \|$", docs(page), re.MULTILINE)
    rights = {row.wire_name: row.scope for row in CATALOGUE}
    told = {name: right for right, names in lines for name in re.findall(r"[A-Z.]+", names)}

    assert len(told) > 30
    assert {name: rights[name] for name in told} == told
    assert all(name in docs("bitrix24.md") for name in told)
