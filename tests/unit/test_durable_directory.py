"""What makes a directory for something that has to last makes the directory's own entry last."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from uuid_utils import uuid7

from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from gateway.installation.journal import Journal, Task
from gateway.local.embedded import embedded_redis
from gateway.local.vault_key import ensured_key
from gateway.publishing.spool.batch_file import SpoolFile
from tests.support.audit_log import Clock, a_key


def spool(directory: Path) -> None:
    SpoolFile(directory, max_bytes=1 << 20).close()


def journal(directory: Path) -> None:
    receipt_id = str(uuid7())
    task = Task(
        kind="install", receipt_id=receipt_id, member_id="m1", received_ms=1, content=b"", client=""
    )
    Journal(directory).begin(task).leave()


def audit_log(directory: Path) -> None:
    options = ChainOptions(signer=a_key(), checkpoint_every=8, clock=Clock())
    Chain.open(directory.parent, directory.name.removesuffix("-0"), 0, options).close()


def vault_key(directory: Path) -> None:
    ensured_key(directory / "vault.key")


def data_of_redis(directory: Path) -> None:
    with embedded_redis(directory, waiting=lambda: None, wait_s=0):
        pass


@pytest.mark.parametrize("make", [spool, journal, audit_log, vault_key, data_of_redis])
def test_a_directory_that_is_made_is_durable_with_those_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    synced = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)

    make(tmp_path / "a" / "b-0")

    assert synced[:2] == [tmp_path, tmp_path / "a"]
