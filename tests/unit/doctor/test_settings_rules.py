"""Settings that work, and are unsafe all the same."""

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.doctor.files import look_at_files
from gateway.doctor.group_rules import judge_groups
from gateway.doctor.settings_refusals import refusals
from gateway.doctor.settings_rules import judge_redis_address, judge_settings
from gateway.ops.group_standings import GroupStanding
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import (
    AdminSettings,
    ConsoleSettings,
    EventSettings,
    HttpSettings,
    PortalSettings,
    RedisSettings,
    Settings,
    SpoolSettings,
    VaultSettings,
)
from gateway.settings.secret_places import secret_places

KEY = "ZmFrZS1rZXktZmFrZS1rZXktZmFrZS1rZXktZmFrZSE="
SAFE = Settings(vault=VaultSettings(keys=(KEY,)))
NOW = 2_000_000_000.0


def of_settings(**sections: Any) -> list[str]:
    return [one.check for one in judge_settings(replace(SAFE, **sections))]


def test_the_defaults_with_a_vault_key_are_safe() -> None:
    assert of_settings() == []


def test_events_that_no_queue_has_are_told() -> None:
    queued = EventSettings(name="onCrmDeal*")
    declared = EventSettings(name="onZooAnimalFeed", type="bitrix24.zoo.animal.fed")

    assert of_settings(events=(queued,)) == []
    (found,) = judge_settings(replace(SAFE, events=(queued, declared)))
    assert (found.check, "no queue of a portal has onZooAnimalFeed" in found.what) == (
        "events",
        True,
    )


def test_listeners_that_others_reach_are_found() -> None:
    assert of_settings(admin=AdminSettings(host="0.0.0.0")) == ["listeners"]
    assert of_settings(http=HttpSettings(host="0.0.0.0")) == ["listeners"]
    with_proxy = HttpSettings(host="0.0.0.0", trusted_proxies=("10.0.0.7",))
    assert of_settings(http=with_proxy) == []


def test_an_allow_list_that_sees_only_the_proxy_is_found() -> None:
    http = HttpSettings(allow_mode="enforce", allow_networks=("192.0.2.0/24",))

    assert of_settings(http=http) == ["allow list"]
    assert of_settings(http=replace(http, trusted_proxies=("127.0.0.1",))) == []


def test_a_missing_vault_key_is_found() -> None:
    assert of_settings(vault=VaultSettings()) == ["vault"]


@pytest.mark.parametrize(
    ("url", "count"),
    [
        ("redis://127.0.0.1:6379/0", 0),
        ("redis://[::1]:6379/0", 0),
        ("unix:///run/redis.sock", 0),
        ("redis://redis.internal/0", 2),
        ("redis://:fake@redis.internal/0", 1),
        ("rediss://:fake@redis.internal/0", 0),
        ("rediss://:fake@redis.internal/0?ssl_cert_reqs=none", 1),
    ],
)
def test_another_machine_is_reached_with_a_password_and_tls(url: str, count: int) -> None:
    assert len(list(judge_redis_address(RedisAddress.of(url)))) == count


async def test_what_serve_refuses_is_refused_all_at_once() -> None:
    settings = Settings(
        vault=VaultSettings(keys=("no key",)),
        console=ConsoleSettings(token="fake-short"),
        http=HttpSettings(allow_mode="enforce", trusted_proxies=("nowhere",)),
        portals=(
            PortalSettings(
                member_id="m", domain="acme.example", application_tokens=("env:NOT_THERE",)
            ),
        ),
    )

    found = "\n".join(await refusals(settings))

    for name in ("[[portals]]", "[vault] keys", "[http] trusted_proxies", "[console] token"):
        assert name in found
    assert await refusals(SAFE) == []


def test_places_of_secrets_are_told_without_them() -> None:
    settings = replace(
        SAFE,
        redis=RedisSettings(url="redis://:sentinel@127.0.0.1:6379/0"),
        portals=(
            PortalSettings(
                member_id="m",
                domain="acme.example",
                application_tokens=("sentinel", "file:/run/token", "env:TOKEN"),
            ),
        ),
    )

    places = secret_places(settings)

    assert "sentinel" not in str(places)
    assert [one.name for one in places if one.is_literal] == [
        "[redis] url",
        "[vault] keys",
        "[portals] application_tokens",
    ]
    assert [one.file for one in places if one.file] == ["/run/token"]


def of_files(settings: Settings, file: Path | None = None) -> list[tuple[str, str]]:
    return [(one.check, one.severity) for one in look_at_files(settings, file, now=NOW)]


@pytest.fixture
def roomy(tmp_path: Path) -> Settings:
    """Settings whose spool fits on the disk; the spool is not there yet."""
    return Settings(spool=SpoolSettings(dir=str(tmp_path / "spool"), max_bytes=1 << 20))


def test_a_settings_file_with_secrets_is_private(roomy: Settings, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.touch()
    secret = replace(roomy, vault=VaultSettings(keys=(KEY,)))
    found = {}
    for mode in (0o600, 0o644, 0o666):
        file.chmod(mode)
        found[mode] = of_files(secret, file), of_files(roomy, file)

    assert found == {
        0o600: ([("settings file", "note")], []),
        0o644: ([("settings file", "red")], []),
        0o666: ([("settings file", "red")] * 2, [("settings file", "red")]),
    }


def test_a_file_of_a_secret_is_private_and_a_key_is_changed(
    roomy: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    settings = replace(roomy, vault=VaultSettings(keys=(f"file:{file}",)))
    file.chmod(0o640)
    os.utime(file, (NOW, NOW))
    assert of_files(settings) == []

    file.chmod(0o644)
    assert of_files(settings) == [("secret files", "red")]

    file.chmod(0o600)
    os.utime(file, (NOW - 2 * 365 * 86_400,) * 2)
    assert of_files(settings) == [("vault", "note")]


def test_a_spool_larger_than_its_disk_is_found(roomy: Settings) -> None:
    spool = replace(roomy.spool, max_bytes=1 << 60)

    assert of_files(replace(roomy, spool=spool)) == [("spool", "warning")]


def test_a_directory_that_others_may_enter_is_found(roomy: Settings) -> None:
    directory = Path(roomy.spool.dir)
    directory.mkdir()
    directory.chmod(0o755)

    assert of_files(roomy) == [("directories", "warning")]


def standing(**changes: Any) -> GroupStanding:
    well = GroupStanding(
        stream="events",
        partition=0,
        group="index",
        length=10,
        lag=0,
        pending=0,
        oldest_pending_s=0.0,
        redeliveries=0,
        dead_letters=0,
        owner="host-1",
        epoch=1,
        delivered_id="1-0",
    )
    return replace(well, **changes)


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"lag": 5, "pending": 2}, "well"),  # somebody is at it
        ({"owner": None}, "well"),  # and nothing waits
        ({"owner": None, "lag": 5}, "red"),
        ({"pending": 1, "oldest_pending_s": 2 * 86_400.0}, "red"),
        ({"dead_letters": 1}, "warning"),
    ],
)
def test_groups_that_hold_something_up_are_found(changes: dict[str, Any], severity: str) -> None:
    several = [standing(), standing(partition=1, **changes)]

    assert [one.severity for one in judge_groups(several, warn_held_days=1.0)] == [severity]


def test_streams_that_nobody_reads_are_told() -> None:
    assert [one.severity for one in judge_groups([], warn_held_days=1.0)] == ["note"]
