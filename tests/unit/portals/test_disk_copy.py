"""The snapshot: what is saved is what is loaded, and nothing that is broken stops a start."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.portals.application_tokens import digest_of
from gateway.portals.disk_copy import FILE_NAME, DiskCopy
from gateway.portals.registry import Reading, Registration

READING = Reading(
    "version-1",
    (
        Registration(
            member_id="m1",
            digest=digest_of("fake-token"),
            domain="m1.example",
            added_at=datetime(2026, 1, 2, tzinfo=UTC),
        ),
    ),
)


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    DiskCopy(tmp_path, prefix="b24").save(READING)

    assert DiskCopy(tmp_path, prefix="b24").load() == READING
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]


def test_only_the_owner_may_read_it_and_it_holds_no_token(tmp_path: Path) -> None:
    DiskCopy(tmp_path, prefix="b24").save(READING)

    file = tmp_path / FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"fake-token" not in file.read_bytes()


def test_another_installations_portals_are_none_of_ours(tmp_path: Path) -> None:
    DiskCopy(tmp_path, prefix="b24").save(READING)

    assert DiskCopy(tmp_path, prefix="other").load() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"prefix":"b24","reading":{}}', b"\xff"])
def test_a_broken_file_is_told_and_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)

    with capture_logs() as logs:
        assert DiskCopy(tmp_path, prefix="b24").load() is None

    assert [line["event"] for line in logs] == ["the snapshot of portals cannot be read"]


def test_a_disk_that_takes_nothing_is_told_and_leaves_the_old_file(tmp_path: Path) -> None:
    snapshot = DiskCopy(tmp_path / "gone", prefix="b24")

    with capture_logs() as logs:
        snapshot.save(READING)

    assert [line["event"] for line in logs] == ["the snapshot of portals cannot be written"]
