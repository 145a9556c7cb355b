"""`gateway events`, as operators call it: what there is, what portals have bound; binding it."""

import pytest
from msgspec.structs import replace

from gateway.bitrix24.bindings import digest_of_wanted, expected
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import EventSettings, PortalSettings, Settings
from tests.integration.installation.running import Gateway
from tests.integration.portal_health.commanding import Command, Told, command
from tests.support.eventually import eventually

__all__ = ["command"]

DEALS = ("ONCRMDEALADD", "ONCRMDEALDELETE", "ONCRMDEALUPDATE")


@pytest.fixture
def with_deals(settings: Settings) -> Settings:
    names = ("onCrmTimelineComment*", "onCrmDealAdd", "onCrmDealUpdate", "onCrmDealDelete")
    return replace(settings, events=tuple(EventSettings(name=name) for name in names))


@pytest.fixture
async def other(gateway: Gateway, sandbox: Sandbox, installed: LivePortal) -> LivePortal:
    """A second portal with the application."""
    portal = await sandbox.add_portal()
    await portal.install(gateway.url)
    await portal.sent()

    async def is_bound() -> bool:
        return (await gateway.facts.of(portal.member_id)).bound_at is not None

    await eventually(is_bound)
    return portal


def bound(portal: LivePortal, sandbox: Sandbox, *, is_offline: bool) -> set[str]:
    bindings = portal.bindings.of(sandbox.application.client_id)
    return {one.event for one in bindings if one.is_offline is is_offline}


def results(told: Told) -> dict[str, set[tuple[str, str]]]:
    """By portal, what became of each event: at the place that it was bound at."""
    found: dict[str, set[tuple[str, str]]] = {}
    for row in told.objects:
        found.setdefault(row["portal"], set()).add(
            (f"{row['event']} {row['where']}", row["result"])
        )
    return found


async def test_what_is_subscribed_to_is_bound_in_all_portals_and_said_of_each(
    command: Command,
    with_deals: Settings,
    sandbox: Sandbox,
    installed: LivePortal,
    other: LivePortal,
    gateway: Gateway,
) -> None:
    dry = await command(with_deals, "add", "onCrmDeal*", "--dry-run", "--json", group="events")
    assert dry.code == 0
    everywhere = {f"{name} {where}" for name in DEALS for where in ("delivery", "queue")}
    would = {(one, "would be bound") for one in everywhere}
    assert results(dry) == {installed.domain: would, other.domain: would}
    assert not bound(installed, sandbox, is_offline=False) & set(DEALS)

    told = await command(with_deals, "add", "onCrmDeal*", "--json", group="events")
    again = await command(with_deals, "add", "onCrmDeal*", "--json", group="events")

    assert (told.code, again.code) == (0, 0)
    for portal in (installed, other):
        assert results(told)[portal.domain] == {(one, "bound") for one in everywhere}
        assert results(again)[portal.domain] == {(one, "bound already") for one in everywhere}
        assert bound(portal, sandbox, is_offline=False) >= set(DEALS)
        assert bound(portal, sandbox, is_offline=True) >= set(DEALS)
    known = await gateway.facts.of(installed.member_id)
    wanted = expected(with_deals.handler_url, with_deals.subscription)
    assert (known.wanted, known.unbound) == (digest_of_wanted(wanted), {})


async def test_the_list_has_the_catalogue_what_is_taken_and_what_each_portal_has_bound(
    command: Command,
    with_deals: Settings,
    installed: LivePortal,
    other: LivePortal,
    gateway: Gateway,
) -> None:
    only = ("--portal", other.domain)
    assert (await command(with_deals, "add", "onCrmDealAdd", *only, group="events")).code == 0
    installed.comments.add(entity_type="deal", entity_id=2, text="text", author_id=7)
    await eventually(gateway.events)

    told = await command(with_deals, "list", "--json", group="events")
    shown = await command(with_deals, "list", "--unbound", group="events")

    rows = {row["name"]: row for row in told.objects}
    assert len(rows) > 200
    deal = rows["onCrmDealAdd"]
    assert (deal["is_subscribed"], deal["type"]) == (True, "bitrix24.crm.deal.added")
    assert (deal["bound_in"], deal["missing_in"]) == ([other.domain], [installed.domain])
    assert deal["queued_in"] == [other.domain]
    assert deal["last_seen_at"] is None
    comment = rows["onCrmTimelineCommentAdd"]
    assert set(comment["bound_in"]) == {installed.domain, other.domain}
    assert comment["queued_in"] == comment["bound_in"]
    assert comment["last_seen_at"]
    assert not rows["onCrmLeadAdd"]["is_subscribed"]
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == [
        *("onCrmDealAdd", "onCrmDealUpdate", "onCrmDealDelete"),
    ]


async def test_what_is_not_taken_any_more_is_unbound(
    command: Command,
    settings: Settings,
    with_deals: Settings,
    sandbox: Sandbox,
    installed: LivePortal,
) -> None:
    assert (await command(with_deals, "add", group="events")).code == 0
    refused = await command(with_deals, "remove", "onCrmDealAdd", group="events")
    dry = await command(settings, "remove", "--dry-run", "--json", group="events")
    assert bound(installed, sandbox, is_offline=False) >= set(DEALS)

    told = await command(settings, "remove", "--json", group="events")
    again = await command(settings, "remove", "onCrmDealAdd", "--json", group="events")

    assert (refused.code, told.code, again.code) == (2, 0, 0)
    assert "take it out of [[events]] first" in refused.err
    everywhere = {f"{name} {where}" for name in DEALS for where in ("delivery", "queue")}
    assert results(dry) == {installed.domain: {(one, "would be unbound") for one in everywhere}}
    assert results(told) == {installed.domain: {(one, "unbound") for one in everywhere}}
    assert results(again) == {installed.domain: {("ONCRMDEALADD delivery", "not bound")}}
    for is_offline in (False, True):
        left = bound(installed, sandbox, is_offline=is_offline)
        assert "ONCRMTIMELINECOMMENTADD" in left
        assert not left & set(DEALS)


async def test_what_cannot_be_bound_is_told_with_the_reason_and_exit_code_1(
    command: Command, with_deals: Settings, sandbox: Sandbox, installed: LivePortal
) -> None:
    unknown = PortalSettings(member_id="m1", domain="x.example", application_tokens=("fake",))
    installed.faults.is_down = True

    told = await command(replace(with_deals, portals=(unknown,)), "add", "--json", group="events")

    assert told.code == 1
    why = {row["portal"]: row["why"] for row in told.objects}
    assert "outbound webhook" in why["x.example"]
    assert why[installed.domain]
    assert {row["result"] for row in told.objects} == {"failed"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "onCrmDealUpdat"), "did you mean onCrmDealUpdate?"),
        (("add", "onCrmLeadAdd"), 'put [[events]] with name = "onCrmLeadAdd" there'),
        (("add", "onZoo*"), "no event has a name like this"),
        (("remove", "onZoo*"), "no event has a name like this"),
    ],
)
async def test_a_name_that_is_none_is_refused_in_one_line(
    command: Command, with_deals: Settings, arguments: tuple[str, ...], said: str
) -> None:
    told = await command(with_deals, *arguments, group="events")

    assert told.code == 2
    assert said in told.err
    assert len(told.err.splitlines()) == 1
