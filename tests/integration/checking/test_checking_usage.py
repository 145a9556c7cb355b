"""How `consumers check` is called, and what it asks before it calls anything."""

import json

import pytest

from tests.integration.checking.conftest import GOOD, Check


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("", (), "the consumer search-index has no handler"),
        ("raise OSError('no')", (), "OSError: no"),
        (GOOD, ("--case", "comments"), "--case comments: there is no such case"),
        (GOOD, ("--timeout", "0"), "--timeout"),
    ],
)
def test_what_cannot_be_tried_ends_with_2_and_a_line(
    check: Check, source: str, options: tuple[str, ...], said: str
) -> None:
    done = check(source, *options)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_nothing_is_called_before_somebody_has_agreed(check: Check) -> None:
    done = check(GOOD, yes=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was called" in done.stderr
    assert "comment/999" not in done.stderr


def test_the_cases_are_listed_without_a_call(check: Check) -> None:
    done = check(GOOD, "--list", "--json", yes=False)

    assert done.returncode == 0
    cases = {one["name"]: one for one in json.loads(done.stdout)}
    assert cases["comment-replayed"]["is_replay"]
    assert json.loads(cases["comment"]["events"][0])["subject"] == "comment/999"
