"""`gateway portals list | add | remove` against a real server."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.errors import OperatorError
from gateway.local.redis_server import free_port
from gateway.portals.application_tokens import digest_of
from gateway.portals.disk_copy import DiskCopy
from gateway.portals.facts import PortalFacts
from gateway.portals.registry import Registry
from gateway.redis_access import connections

TOKEN = "fake-application-token-1"
DIGEST = digest_of(TOKEN).hex()
Portals = Callable[..., Result]


@pytest.fixture
def portals(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Portals:
    """Calls `gateway portals …`; raises what ends the program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.setenv("GATEWAY_REDIS_URL", redis_url)

    def call(*arguments: str, stdin: str | None = None) -> Result:
        shown = CliRunner().invoke(cli, ["portals", *arguments], input=stdin)
        if shown.exception and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        assert TOKEN not in shown.output
        return shown

    return call


def listed(portals: Portals) -> list[dict[str, str | None]]:
    return [json.loads(line) for line in portals("list", "--json").output.splitlines()]


def test_what_was_added_is_listed_without_its_token(portals: Portals) -> None:
    added = portals("add", "m1", "--domain", "m1.example", "--token", TOKEN)

    assert added.output.startswith(f"added: m1 may send with token {DIGEST[:12]}")
    (row,) = listed(portals)
    assert (row["member_id"], row["domain"], row["token_digest"], row["source"]) == (
        *("m1", "m1.example", DIGEST[:12]),
        "redis",
    )
    assert portals("list").output.splitlines()[0].split() == [
        *("MEMBER", "ID", "DOMAIN", "TOKEN", "DIGEST", "TOKEN", "OF", "SOURCE", "ADDED", "AT"),
        *("ACCESS", "APPLICATION", "AUTHORIZATION", "SERVER", "INSTALLED", "AT"),
        *("ERASURE", "DUE", "SINCE", "ENDPOINT"),
    ]


def test_a_token_comes_from_a_variable_a_file_or_standard_input(
    portals: Portals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_TOKEN", "fake-from-variable")
    (tmp_path / "token").write_text("fake-from-file\n")

    added = portals("add", "m1", "--domain", "m1.example", "--token", "env:FAKE_TOKEN", "--json")
    digest = digest_of("fake-from-variable").hex()[:12]
    assert json.loads(added.output) == {
        "member_id": "m1",
        "domain": "m1.example",
        "token_digest": digest,
    }
    portals("add", "m1", "--token", f"file:{tmp_path / 'token'}")
    portals("add", "m1", "--token", "-", stdin="fake-from-stdin\n")

    assert {row["token_digest"] for row in listed(portals)} == {
        digest_of(token).hex()[:12]
        for token in ("fake-from-variable", "fake-from-file", "fake-from-stdin")
    }


@pytest.mark.parametrize(
    ("token", "stdin"),
    [("", None), ("env:FAKE_UNSET", None), ("file:/nowhere", None), ("-", " \n")],
)
def test_an_empty_or_missing_token_registers_nothing(
    portals: Portals, token: str, stdin: str | None
) -> None:
    with pytest.raises(OperatorError, match="--token"):
        portals("add", "m1", "--domain", "m1.example", "--token", token, stdin=stdin)

    assert listed(portals) == []


def test_one_token_of_several_is_removed_and_then_the_portal(portals: Portals) -> None:
    portals("add", "m1", "--domain", "m1.example", "--token", TOKEN)
    portals("add", "m1", "--token", "fake-new")

    removed = portals("remove", "m1", "--token-digest", DIGEST[:8], "--json")
    assert json.loads(removed.output) == {"member_id": "m1", "token_digest": DIGEST[:12]}

    assert [row["token_digest"] for row in listed(portals)] == [digest_of("fake-new").hex()[:12]]
    portals("remove", "m1")
    assert listed(portals) == []
    assert portals("list").output == "no portals are registered\n"


@pytest.mark.parametrize("prefix", ["ffffffffffff", ""])
def test_a_digest_that_does_not_mean_one_token_removes_none(portals: Portals, prefix: str) -> None:
    portals("add", "m1", "--domain", "m1.example", "--token", TOKEN)

    with pytest.raises(OperatorError, match="matches"):
        portals("remove", "m1", "--token-digest", prefix)

    assert len(listed(portals)) == 1


def test_a_portal_that_is_not_there_cannot_be_removed(portals: Portals) -> None:
    with pytest.raises(OperatorError, match="m1 is not registered"):
        portals("remove", "m1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("m 1", "--domain", "d.example"), "MEMBER_ID"),
        (("m" * 65, "--domain", "d.example"), "MEMBER_ID"),
        (("m1", "--domain", "d example"), "--domain"),
        (("m1",), "name its --domain"),
    ],
)
def test_a_wrong_argument_is_named(portals: Portals, arguments: tuple[str, ...], said: str) -> None:
    shown = portals("add", *arguments, "--token", TOKEN)

    assert shown.exit_code == 2
    assert said in shown.output
    assert listed(portals) == []


def test_portals_of_the_settings_are_listed_and_named_when_they_cannot_be_removed(
    portals: Portals, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = {"member_id": "m1", "domain": "m1.example", "application_tokens": [TOKEN]}
    monkeypatch.setenv("GATEWAY_PORTALS", json.dumps([settled]))
    portals("add", "m1", "--token", "fake-new")

    assert [(row["source"], row["domain"]) for row in listed(portals)] == [
        ("settings", "m1.example"),
        ("redis", "m1.example"),
    ]
    assert "still stands in the settings" in portals("remove", "m1").output
    assert [row["source"] for row in listed(portals)] == ["settings"]


def test_blanks_and_capitals_are_none_of_a_name_or_a_token(portals: Portals) -> None:
    portals("add", " m1 ", "--domain", "M1.Example ", "--token", f" {TOKEN}\n")

    (row,) = listed(portals)
    assert (row["member_id"], row["domain"], row["token_digest"]) == (
        *("m1", "m1.example"),
        DIGEST[:12],
    )


def test_redis_away_is_one_line(portals: Portals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")

    with pytest.raises(OperatorError, match=r"Redis at 127.0.0.1:\d+ does not answer: "):
        portals("list")


def test_the_first_portal_that_is_added_to_an_emptied_redis_does_not_end_those_known_here(
    portals: Portals, redis_url: str, tmp_path: Path
) -> None:
    portals("add", "m1", "--domain", "m1.example", "--token", "fake-1")
    spool = tmp_path / "var" / "spool"
    spool.mkdir(parents=True)

    async def as_a_receiver_does() -> None:
        async with connections.control(redis_url) as client:
            DiskCopy(spool, prefix="b24").save(await Registry(client, prefix="b24").read())
            await client.flushall()

    asyncio.run(as_a_receiver_does())
    portals("add", "m2", "--domain", "m2.example", "--token", "fake-2")

    assert [row["member_id"] for row in listed(portals)] == ["m1", "m2"]


def learn(redis_url: str, member_id: str, **facts: object) -> None:
    async def learn() -> None:
        async with connections.control(redis_url) as client:
            await PortalFacts(client, prefix="b24").learn(member_id, **facts)

    asyncio.run(learn())


def test_what_the_application_is_and_has_is_listed_with_its_portal(
    portals: Portals, redis_url: str
) -> None:
    portals("add", "m1", "--domain", "m1.example", "--token", TOKEN)
    portals("add", "m1", "--token", "fake-webhook-token")
    learn(
        redis_url,
        "m1",
        digest=DIGEST,
        endpoint="https://m1.example/rest/",
        installed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )

    rows = {row["token_digest"]: row for row in listed(portals)}

    assert {digest: row["token_of"] for digest, row in rows.items()} == {
        DIGEST[:12]: "application",
        digest_of("fake-webhook-token").hex()[:12]: None,
    }
    row = rows[DIGEST[:12]]
    assert (row["access"], row["installed_at"], row["endpoint"], row["erasure_due_since"]) == (
        *("application", "2026-01-02T03:04:05Z", "https://m1.example/rest/"),
        None,
    )


def test_a_portal_whose_data_is_to_be_erased_is_listed_until_it_is(
    portals: Portals, redis_url: str
) -> None:
    since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    learn(redis_url, "m1", domain="m1.example", uninstalled_at=since, erasure_due_since=since)
    learn(redis_url, "m2", domain="m2.example", uninstalled_at=since)

    (row,) = listed(portals)
    assert (row["member_id"], row["token_digest"], row["access"], row["erasure_due_since"]) == (
        *("m1", None, None, "2026-01-02T03:04:05Z"),
    )
    assert portals("erased", "m1").output == (
        "3 things of m1 erased from Redis\nm1 is no longer marked for erasure\n"
    )
    assert listed(portals) == []
    with pytest.raises(OperatorError, match="m1 is not marked"):
        portals("erased", "m1")
