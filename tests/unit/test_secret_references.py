"""Secrets that settings refer to: in a variable, in a file, or given by systemd."""

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.secret_references import is_reference, resolve_secret


def test_a_credential_is_a_file_that_systemd_gave_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateway_token").write_text("fake-token\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert is_reference("credential:gateway_token")
    assert resolve_secret("credential:gateway_token", name="[x] y") == "fake-token"
    with pytest.raises(SettingsError, match=r"^\[x\] y: credential:gateway_other cannot be read"):
        resolve_secret("credential:gateway_other", name="[x] y")


def test_without_credentials_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    with pytest.raises(SettingsError, match=r"^\[x\] y: credential:token: .* given no credentials"):
        resolve_secret("credential:token", name="[x] y")


@pytest.mark.parametrize("name", ["../token", "/etc/passwd", "a/b", "", ".."])
def test_a_credential_is_not_a_way_to_other_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    (tmp_path / "token").write_text("fake-token")

    with pytest.raises(SettingsError):
        resolve_secret(f"credential:{name}", name="[x] y")
