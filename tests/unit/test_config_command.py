import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import cli
from gateway.settings import Settings, load
from gateway.settings.masking import masked

SECRET = "sentinel-0f9a"


def shown(config: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["--config", str(config), "config", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(
        f"""
        redis.url = "rediss://gateway:{SECRET}@redis.example:6379/0"
        vault.keys = ["{SECRET}", "env:OLD_KEY"]
        warehouse.destination = "postgres://loader:{SECRET}@db.example/crm"
        [[notifier.routes]]
        urls = ["slack://{SECRET}/{SECRET}", "file:/run/secrets/route"]
        [[portals]]
        member_id = "m"
        domain = "acme.bitrix24.com"
        application_tokens = ["{SECRET}", "env:TOKEN"]
        """
    )
    return path


def test_no_secret_is_shown_and_references_to_secrets_are(config: Path) -> None:
    tree = json.loads(shown(config, "--json"))

    assert SECRET not in shown(config) + json.dumps(tree)
    assert tree["redis"]["url"] == "rediss://gateway:***@redis.example:6379/0"
    assert tree["vault"]["keys"] == ["***", "env:OLD_KEY"]
    assert tree["warehouse"]["destination"] == "postgres://loader:***@db.example/crm"
    assert tree["notifier"]["routes"][0]["urls"] == ["slack://***", "file:/run/secrets/route"]
    assert tree["portals"][0]["application_tokens"] == ["***", "env:TOKEN"]


def test_both_forms_show_the_same_tree_with_its_defaults(config: Path) -> None:
    tree = json.loads(shown(config, "--json"))

    assert {"events": []} | tomllib.loads(shown(config)) == tree  # no table at all, in TOML
    assert tree["http"]["port"] == 8080


def test_what_is_shown_of_the_defaults_are_the_settings_themselves(tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.touch()
    copy = tmp_path / "copy.toml"
    copy.write_text(shown(empty))

    assert load(str(copy), {}) == Settings()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"redis://:{SECRET}@h:6379/0", "redis://:***@h:6379/0"),
        (f"redis://u:{SECRET}/@{SECRET}@h/0", "redis://u:***@h/0"),
        (f"redis://h/0?db=1&password={SECRET}", "redis://h/0?db=1&password=***"),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=0"),
        ("redis://h:6379/0", "redis://h:6379/0"),
    ],
)
def test_of_a_url_all_but_the_password_is_shown(url: str, said: str) -> None:
    tree: Any = masked(load(None, {"GATEWAY_REDIS_URL": url}))

    assert tree["redis"]["url"] == said
