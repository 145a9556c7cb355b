"""The journal of installations: written before the first step, crossed out after the last."""

import os
from pathlib import Path

import pytest
from uuid_utils import uuid7

from gateway.installation.journal import Journal, JournalUnavailable, Kind, Task, TooManyWait


def task(
    member_id: str = "m1", kind: Kind = "install", content: bytes = b"sealed", client: str = ""
) -> Task:
    return Task(
        kind=kind,
        receipt_id=str(uuid7()),
        member_id=member_id,
        received_ms=1,
        content=content,
        client=client,
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_what_is_left_can_be_resumed_and_what_is_finished_cannot(journal: Journal) -> None:
    first, second = task(), task()
    journal.begin(first).leave()
    journal.begin(second).finish()

    (name,) = journal.names()
    resumed = journal.resume(name)

    assert resumed is not None
    assert resumed.task == first
    resumed.finish()
    assert journal.names() == []
    assert journal.resume(name) is None


def test_nobody_else_can_resume_what_is_under_way(journal: Journal, tmp_path: Path) -> None:
    under_way = journal.begin(task())
    (name,) = journal.names()

    assert Journal(tmp_path).resume(name) is None
    under_way.leave()
    resumed = Journal(tmp_path).resume(name)
    assert resumed is not None
    assert journal.resume(name) is None
    resumed.leave()


def test_tasks_are_in_the_order_of_receipt_and_first_by_portal(journal: Journal) -> None:
    tasks = [task("m1"), task("m2"), task("m1"), task("m1", "uninstall"), task("m1")]
    for one in reversed(tasks):
        journal.begin(one).leave()

    assert [name.receipt_id for name in journal.names()] == [one.receipt_id for one in tasks]
    assert [journal.is_first(one) for one in tasks] == [True, True, True, False, False]


@pytest.mark.parametrize("member_id", ["a/b", "../../x", "a.b.install", "Ж", "%2e%2e"])
def test_whatever_a_portal_is_called_its_task_stays_in_the_directory(
    journal: Journal, tmp_path: Path, member_id: str
) -> None:
    one = task(member_id)
    journal.begin(one).leave()

    (name,) = journal.names()
    assert name.member_id == member_id
    assert [path.parent for path in tmp_path.rglob("*.install")] == [tmp_path / "lifecycle"]
    resumed = journal.resume(name)
    assert resumed is not None
    assert resumed.task == one
    resumed.leave()


def test_installations_that_anybody_claims_are_bounded_and_leave_room_for_others(
    journal: Journal,
) -> None:
    for number in range(100):
        journal.begin(task(f"m{number}")).leave()

    with pytest.raises(JournalUnavailable, match="too many"):
        journal.begin(task("m100"))
    journal.begin(task(kind="reinstall")).leave()
    journal.begin(task(kind="uninstall")).leave()
    assert len(journal.names()) == 102


def test_a_client_has_a_few_places_and_others_have_theirs(journal: Journal) -> None:
    for _ in range(4):
        journal.begin(task(client="forger")).leave()

    with pytest.raises(TooManyWait, match="of this sender"):
        journal.begin(task(client="forger"))
    journal.begin(task(client="other")).leave()
    journal.begin(task(kind="reinstall")).leave()


def test_a_portal_that_installs_again_and_again_has_a_few_places(journal: Journal) -> None:
    for _ in range(4):
        journal.begin(task("m1", "reinstall")).leave()

    with pytest.raises(TooManyWait, match="of this sender"):
        journal.begin(task("m1", "reinstall"))
    journal.begin(task("m2", "reinstall")).leave()
    journal.begin(task("m1", "uninstall")).leave()


def test_when_all_places_are_taken_whoever_has_most_gives_one_up(journal: Journal) -> None:
    forged = [task(client=f"forger-{number // 4}") for number in range(100)]
    at_work = [journal.begin(one) for one in forged[:1]]
    for one in forged[1:]:
        journal.begin(one).leave()

    journal.begin(task(client="genuine")).leave()

    left = [name.receipt_id for name in journal.names()]
    assert len(left) == 100
    assert forged[0].receipt_id in left  # somebody is at it
    assert forged[1].receipt_id not in left
    at_work[0].leave()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "lifecycle").write_text("a file")

    journal = Journal(tmp_path)

    assert journal.names() == []
    with pytest.raises(JournalUnavailable):
        journal.begin(task())


def test_what_is_broken_is_given_up(journal: Journal, tmp_path: Path) -> None:
    journal.begin(task()).leave()
    (path,) = (tmp_path / "lifecycle").iterdir()
    path.write_bytes(b"\xc1")

    (name,) = journal.names()
    assert journal.resume(name) is None
    assert journal.names() == []


def test_drafts_of_the_dead_are_removed_and_those_of_the_living_are_not(
    journal: Journal, tmp_path: Path
) -> None:
    journal.begin(task()).leave()
    old, new = tmp_path / "lifecycle" / ".old", tmp_path / "lifecycle" / ".new"
    for draft in (old, new):
        draft.touch()
    os.utime(old, (0, 0))

    journal.clean()

    assert (old.exists(), new.exists(), len(journal.names())) == (False, True, 1)
