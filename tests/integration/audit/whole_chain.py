"""A chain of three days, and what `verify` finds in it."""

from pathlib import Path

import pytest

from consumers.audit.signing import SigningKey
from tests.support.audit_log import a_key, entries, verify, write

# One genesis record, 10 events a day, a checkpoint after every 8 records and at the end of a day.
FIRST, SECOND, THIRD = "2026-11-20.jsonl", "2026-11-21.jsonl", "2026-11-22.jsonl"


@pytest.fixture
def key() -> SigningKey:
    return a_key()


@pytest.fixture
def chain(tmp_path: Path, key: SigningKey) -> Path:
    return write(tmp_path, key, entries(1, 10), entries(11, 20), entries(21, 30))


def found(chain: Path, *keys: SigningKey) -> tuple[str, str, int | None]:
    fault = verify(chain, *keys).fault
    assert fault is not None
    return fault.what, fault.file, fault.line
