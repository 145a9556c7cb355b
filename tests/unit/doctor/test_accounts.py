"""The accounts, the file for Redis that is made of them, and the page that shows them."""

import re
from pathlib import Path

import pytest

from gateway.doctor.redis_accounts import ACCOUNTS, consumer_account
from gateway.doctor.redis_roles import ROLES, calls_of, possible_accounts
from tests.redis_users import BLOCK, acl_file, with_blocks
from tests.support.redis_users import line_of_service

ROOT = Path(__file__).parents[3]
FILE, PAGE = ROOT / "deploy" / "redis" / "users.acl", ROOT / "docs" / "redis-rights.md"


def test_the_file_and_the_page_are_what_the_accounts_are() -> None:
    """`make docs` writes both anew."""
    assert FILE.read_text() == acl_file()
    assert PAGE.read_text() == with_blocks(PAGE.read_text())


def test_the_page_shows_every_account() -> None:
    assert sorted(BLOCK.findall(PAGE.read_text())) == sorted(ACCOUNTS)


def test_every_password_of_the_file_says_that_it_is_to_be_replaced() -> None:
    passwords = re.findall(r">(\S+)", FILE.read_text())

    assert len(passwords) == len(ACCOUNTS) + 1
    assert all(one.startswith("REPLACE-THIS-FAKE-PASSWORD-") for one in passwords)


@pytest.mark.parametrize("stream", ["comments", "events"])
def test_replacing_words_makes_the_account_of_another_team(stream: str) -> None:
    """As the page has it; tests give services what `consumer_account` says."""
    line = line_of_service("stock", stream)

    assert line.endswith(f" {' '.join(consumer_account('stock', stream).words())}")


@pytest.mark.parametrize("name", ["audit", "warehouse", "notifier", "relay", "feed", "service"])
def test_whoever_only_reads_a_stream_may_not_append_to_it(name: str) -> None:
    appending = [one for one in ACCOUNTS[name].rules if "+xadd" in one.commands]

    assert not [
        key for one in appending for key in one.keys if re.search("b24:(events|comments|\\*)", key)
    ]


def test_who_repairs_may_do_all_that_who_only_looks_may() -> None:
    looker, operator = (set(ACCOUNTS[name].rule.commands) for name in ("looker", "operator"))

    assert looker <= operator


@pytest.mark.parametrize("role", ROLES)
def test_every_right_of_a_role_can_be_asked_for(role: str) -> None:
    """There is a call of each command, on a key of the prefix."""
    for account in possible_accounts(role, "stock"):
        calls = list(calls_of(account, "acme"))
        assert {name for name, _call in calls} == {
            command[1:] for rule in account.rules for command in rule.commands
        }
        assert not [word for _name, call in calls for word in call if "b24:" in word]
