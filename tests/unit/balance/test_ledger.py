"""Ledgers: what they count, and what is found out after a process died."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from gateway.balance.ledger import Ledger, LedgerTotals, ledger_totals
from gateway.balance.ledger_choice import choose_ledger


def counted(ledger: Ledger) -> None:
    for _ in range(10):
        ledger.accept()
    ledger.stream(5)
    with ledger.spooling(3):
        pass
    ledger.refuse(1, "spool_full")


def test_a_ledger_says_what_became_of_each_event(tmp_path: Path) -> None:
    ledger = choose_ledger(tmp_path, in_spool=0)
    counted(ledger)
    with ledger.draining(2):
        pass

    totals = ledger_totals(tmp_path)
    ledger.close()

    assert totals == LedgerTotals(
        accepted=10, refused={"spool_full": 1}, streamed=5, spooled=3, drained=2
    )
    assert totals.under_way == 1


def test_what_fails_does_not_count(tmp_path: Path) -> None:
    ledger = choose_ledger(tmp_path, in_spool=0)

    with pytest.raises(OSError, match="full"), ledger.spooling(3):
        raise OSError("full")

    assert ledger_totals(tmp_path) == LedgerTotals()
    ledger.close()


def test_processes_have_ledgers_of_their_own_and_successors_count_on(tmp_path: Path) -> None:
    first = choose_ledger(tmp_path, in_spool=0)
    second = choose_ledger(tmp_path, in_spool=0)
    for ledger in (first, second):
        counted(ledger)
        ledger.close()

    third = choose_ledger(tmp_path, in_spool=6)
    counted(third)
    third.close()

    assert len(list(tmp_path.glob("ledger.*"))) == 2
    assert ledger_totals(tmp_path).accepted == 30
    assert ledger_totals(tmp_path).streamed == 15


def _die_while_spooling(directory: Path) -> None:
    ledger = choose_ledger(directory, in_spool=0)
    counted(ledger)
    with ledger.spooling(1):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("in_spool", "spooled", "unanswered"),
    [(4, 4, 0), (3, 3, 1), (None, 3, 1)],
    ids=["it was done", "it was not done", "the spool cannot be read"],
)
def test_a_killed_process_leaves_its_counts_and_what_it_did_is_found_out(
    tmp_path: Path, in_spool: int | None, spooled: int, unanswered: int
) -> None:
    process = multiprocessing.get_context("fork").Process(
        target=_die_while_spooling, args=(tmp_path,)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not ledger_totals(tmp_path).is_settled

    choose_ledger(tmp_path, in_spool=in_spool).close()
    totals = ledger_totals(tmp_path)

    assert totals.is_settled
    assert (totals.accepted, totals.spooled, totals.unanswered) == (10, spooled, unanswered)
    assert totals.under_way == 0


def test_a_spool_of_before_is_the_first_entry(tmp_path: Path) -> None:
    choose_ledger(tmp_path, in_spool=7).close()
    choose_ledger(tmp_path, in_spool=7).close()

    assert ledger_totals(tmp_path) == LedgerTotals(accepted=7, spooled=7)


def test_a_directory_that_cannot_be_used_keeps_nobody_from_counting(tmp_path: Path) -> None:
    ledger = choose_ledger(tmp_path / "nowhere", in_spool=0)

    counted(ledger)
    ledger.close()
