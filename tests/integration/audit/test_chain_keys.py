"""The key that a chain is signed with: another one, none, and a change of it."""

from pathlib import Path

import pytest

from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from consumers.audit.reopening import LogDamaged
from tests.support.audit_log import (
    Clock,
    a_key,
    entries,
    verify,
    write,
)


def test_a_log_of_another_key_is_not_written_to(tmp_path: Path) -> None:
    write(tmp_path, a_key(), entries(1, 10))
    for options in (ChainOptions(), ChainOptions(signer=a_key())):
        with pytest.raises(LogDamaged, match="not by ours"):
            Chain.open(tmp_path, "events", 0, options)


def test_a_log_stripped_of_its_signatures_is_not_written_to(tmp_path: Path) -> None:
    write(tmp_path, None, entries(1, 10))
    with pytest.raises(LogDamaged, match="without a key"):
        Chain.open(tmp_path, "events", 0, ChainOptions(signer=a_key()))


def test_a_change_of_key_is_announced_and_recorded(tmp_path: Path, clock: Clock) -> None:
    old, new = a_key(), a_key()
    write(tmp_path, old, entries(1, 10))
    options = ChainOptions(signer=new, former_keys=(old.public_key,), clock=clock)
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(11, 20))
    chain.close()
    report = verify(chain.directory, old, new)
    assert (report.fault, report.keys) == (None, [old.public_key, new.public_key])
    fault = verify(chain.directory, new).fault
    assert fault is not None
    assert fault.what == "forged"


def test_signing_can_begin_later(tmp_path: Path, clock: Clock) -> None:
    key = a_key()
    write(tmp_path, None, entries(1, 10))
    options = ChainOptions(signer=key, former_keys=("unsigned",), clock=clock)
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(11, 20))
    chain.close()
    report = verify(chain.directory, key)
    assert (report.fault, report.checkpoints, report.signed_count) == (None, 3, 1)
