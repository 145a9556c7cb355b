"""Chooses the ledger that a process counts in, and settles those of processes that died."""

from pathlib import Path
from typing import Any, Final

import structlog

from gateway.balance.ledger import Ledger, ledger_totals

__all__ = ["choose_ledger"]

log: Any = structlog.get_logger(__name__)

_MOST: Final = 256
# Processes that write on one machine at a time: 64 workers at most, and their successors.


def choose_ledger(directory: Path, *, in_spool: int | None) -> Ledger:
    """A ledger of the directory that no process has; whoever gets it closes it.

    `in_spool` is how many events the spool holds now, None if it cannot be read. A directory
    without ledgers, of an earlier version, begins with these. Where the directory cannot be used,
    the counts end with this process, and the log says so: counting is no reason not to start.
    """
    chosen: Ledger | None = None
    try:
        is_first = not any(directory.glob("ledger.*"))
        for number in range(_MOST):
            path = directory / f"ledger.{number}"
            if chosen is not None and not path.exists():
                break
            if (free := Ledger.take(path)) is None:
                continue
            if is_first and in_spool:
                free.begin_with(in_spool)
            free.settle(in_spool, ledger_totals(directory))
            if chosen is None:
                chosen = free
            else:
                free.close()
    except OSError as error:
        log.warning("the balance is not kept beyond this process", error=str(error))
    return chosen or Ledger.in_memory()
