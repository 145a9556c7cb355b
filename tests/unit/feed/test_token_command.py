"""What `consumers feed token` prints lets its holder in; the token is in the header alone."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner
from msgspec import json

from consumers.cli import cli
from consumers.feed.access_tokens import AccessTokens
from consumers.feed.scope import Scope
from gateway.settings import load

OPTIONS = ("--name", "crm", "--portal", "one", "--type", "bitrix24.crm.*", "--texts")


def made(*options: str) -> str:
    done = CliRunner().invoke(cli, ["feed", "token", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_printed_settings_let_the_printed_token_in(tmp_path: Path) -> None:
    said = made(*OPTIONS)
    header, settings = re.fullmatch(
        r"(?s).*?Authorization: (Bearer \S+)\n.*?(    \[\[feed\.tokens\]\]\n.*)", said
    ).groups()  # type: ignore[union-attr]
    (tmp_path / "gateway.toml").write_text(dedent(settings))
    tokens = AccessTokens(load(str(tmp_path / "gateway.toml"), {}).feed.tokens)
    holder = tokens.holder_of(header)

    assert holder is not None
    assert holder.name == "crm"
    assert holder.scope == Scope(
        portals=frozenset({"one"}), types=frozenset({"bitrix24.crm.*"}), has_texts=True
    )
    assert header.removeprefix("Bearer ") not in settings


def test_the_json_has_the_same(tmp_path: Path) -> None:
    said = json.decode(made(*OPTIONS, "--json"))
    environ = {"GATEWAY_FEED_TOKENS": json.encode([said["settings"]]).decode()}
    tokens = AccessTokens(load(None, environ).feed.tokens)

    assert tokens.holder_of(f"Bearer {said['token']}") is not None


def test_without_a_scope_it_sees_all_events_without_texts() -> None:
    said = json.decode(made("--name", "crm", "--json"))["settings"]

    assert (said["portals"], said["types"], said["texts"]) == ([], [], False)


@pytest.mark.parametrize(
    "options", [("--name", "a b"), ("--name", "x", "--type", "?"), ("--name", "x", "--portal", "*")]
)
def test_what_the_settings_would_refuse_is_refused_before_there_is_a_token(
    options: tuple[str, ...],
) -> None:
    done = CliRunner().invoke(cli, ["feed", "token", *options])

    assert done.exit_code != 0
    assert "b24feed_" not in done.output
    assert "no such token can be made" in str(done.exception)
