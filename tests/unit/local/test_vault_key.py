"""The key that is made where nobody gave one."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from gateway.errors import OperatorError
from gateway.local.vault_key import ensured_key
from gateway.settings import VaultSettings
from gateway.vault.encryption import Vault


def test_the_key_is_good_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "vault.key"

    ensured_key(path)

    assert path.stat().st_mode & 0o777 == 0o600
    Fernet(path.read_text().strip())
    vault = Vault.of(VaultSettings(keys=(f"file:{path}",)))
    assert vault is not None
    assert vault.open(vault.seal(b"fake secret")) == b"fake secret"
    assert [one.name for one in path.parent.iterdir()] == ["vault.key"]


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    path.write_text("somebody's own")

    ensured_key(path)

    assert path.read_text() == "somebody's own"


def test_a_directory_that_takes_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")

    with pytest.raises(OperatorError, match=r"vault\.key: no key"):
        ensured_key(tmp_path / "var" / "vault.key")
