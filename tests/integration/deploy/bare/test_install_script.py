"""What deploy/install.sh writes, in a directory instead of on this machine: all but the program."""

import os
import subprocess
from pathlib import Path

import pytest

from gateway.settings import load
from tests.integration.deploy.bare.written import everything
from tests.integration.deploy.files import DEPLOY, checked, installed, on_path

INSTALL = DEPLOY / "install.sh"
NOTHING = "Nothing to do: it is as it should be.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where it has been installed; users are made by systemd's own program, so this needs root."""
    if os.geteuid() != 0:
        pytest.skip("only root may give files to other users")
    on_path("systemd-sysusers")
    checked(INSTALL, "--root", tmp_path)
    return tmp_path


def test_the_scripts_please_the_linter() -> None:
    checked(installed("shellcheck"), INSTALL, DEPLOY / "gateway-ctl")


@pytest.mark.parametrize("words", [["--what"], ["--wheels"], ["gateway.tar.gz"], ["rollback", "x"]])
def test_what_it_does_not_know_is_refused(words: list[str]) -> None:
    done = subprocess.run(
        [INSTALL, *words], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("install.sh: ")
    assert words[-1] in done.stderr.splitlines()[-1]


def test_a_second_run_changes_nothing(root: Path) -> None:
    before = everything(root)

    assert checked(INSTALL, "--root", root) == NOTHING
    assert everything(root) == before


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may")
    said = checked(INSTALL, "--root", tmp_path, "--dry-run")

    assert "would write /etc/gateway/gateway.toml\n" in said
    assert list(tmp_path.iterdir()) == []


def test_the_settings_work_as_they_are_and_name_secrets_as_systemd_gives_them(root: Path) -> None:
    file = root / "etc/gateway/gateway.toml"
    settings = load(str(file), {})

    assert settings.audit.signing_key == "credential:gateway_audit-key"
    assert settings.vault.keys == ("credential:gateway_vault-key",)
    assert settings.portals == ()
    assert settings.notifier.routes == ()
    assert (
        '# application_tokens = ["credential:gateway_acme-application-token"]' in file.read_text()
    )
    assert '"env:' not in file.read_text()


def test_what_is_the_operators_stays(root: Path) -> None:
    settings = root / "etc/gateway"
    for name in ("gateway.toml", "redis/redis.conf"):
        with (settings / name).open("a") as file:
            file.write("# mine\n")
    before = everything(root)

    assert checked(INSTALL, "--root", root) == NOTHING
    assert everything(root) == before


def test_accounts_get_the_rights_of_the_release_and_keep_passwords_and_others_lines(
    root: Path,
) -> None:
    acl, url = root / "etc/gateway/redis/users.acl", "etc/gateway/credentials/{}/redis-url"
    whole, passwords = acl.read_text(), (root / url.format("receiver")).read_text()
    line = "user stock on >fake-password ~b24:lease:stock:* +ping"
    acl.write_text(f"{whole.replace(' +eval_ro', '', 3)}{line}\n")

    said = checked(INSTALL, "--root", root)
    assert said.startswith("write /etc/gateway/redis/users.acl\n\nSettings: ")
    assert acl.read_text() == f"{whole}{line}\n"
    assert (root / url.format("receiver")).read_text() == passwords
    other = whole.replace("b24:", "events:")
    acl.write_text(other)
    assert "of another [redis] prefix" in checked(INSTALL, "--root", root)
    assert acl.read_text() == other


def test_a_key_that_one_process_lacks_is_that_of_the_others(root: Path) -> None:
    credentials = root / "etc/gateway/credentials"
    key = (credentials / "receiver/vault-key").read_bytes()
    (credentials / "enricher/vault-key").unlink()
    checked(INSTALL, "--root", root)

    assert (credentials / "enricher/vault-key").read_bytes() == key


def test_a_redis_elsewhere_is_given_no_server_here(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may")
    checked(INSTALL, "--root", tmp_path, "--redis", "redis.internal:6379")
    url = (tmp_path / "etc/gateway/credentials/receiver/redis-url").read_text()

    assert url.endswith("@redis.internal:6379/0\n")
    assert not (tmp_path / "etc/gateway/redis/redis.conf").exists()
    assert not list(tmp_path.rglob("gateway-redis.service"))
    assert checked(INSTALL, "--root", tmp_path) == NOTHING
