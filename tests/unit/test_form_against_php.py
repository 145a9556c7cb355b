"""`parse_form` reads every body as PHP does, save for the differences that its docstring lists.

Recorded answers are judges everywhere, the real PHP where it is installed.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.inbound.form import parse_form
from tests.fuzz.agreement import assert_read_as_php_does
from tests.fuzz.bodies import FRAGMENTS
from tests.fuzz.php import PhpParser, find_php, running_php
from tests.fuzz.record_php import bodies_to_record, recorded

RECORDED = recorded()


@pytest.mark.parametrize("body", RECORDED, ids=repr)
def test_a_body_is_read_as_php_has_been_seen_to_read_it(body: bytes) -> None:
    assert_read_as_php_does(body, RECORDED[body])


def test_every_body_of_interest_has_been_recorded() -> None:
    assert list(RECORDED) == bodies_to_record(), "run `make record-php`"


@pytest.fixture(scope="module")
def php() -> Iterator[PhpParser]:
    binary = find_php()
    if binary is None:
        pytest.skip("php is not on PATH; the recorded answers have been checked")
    with running_php(binary) as parser:
        yield parser


names_and_values = st.lists(st.sampled_from(FRAGMENTS), max_size=5).map(b"".join)
pairs = st.lists(names_and_values, min_size=1, max_size=2).map(b"=".join)
bodies = st.lists(pairs, max_size=24).map(b"&".join)


@settings(max_examples=1_000)
@given(body=bodies)
def test_bodies_of_telling_parts_are_read_as_php_reads_them(body: bytes, php: PhpParser) -> None:
    assert_read_as_php_does(body, php.parse_str(body))


@settings(max_examples=1_000)
@given(body=st.text("a0-.[]=&+% \0", max_size=60).map(str.encode))
def test_bodies_of_syntax_are_read_as_php_reads_them(body: bytes, php: PhpParser) -> None:
    assert_read_as_php_does(body, php.parse_str(body))


@given(body=st.binary(max_size=100))
def test_any_bytes_are_read_as_php_reads_them(body: bytes, php: PhpParser) -> None:
    assert_read_as_php_does(body, php.parse_str(body))


@pytest.mark.parametrize("name", ["..Host-x", "a[__Host-x]", ".[__Secure-x]", "_.Secure-x"])
def test_names_that_php_drops_for_the_sake_of_cookies_are_read(name: str) -> None:
    assert parse_form(f"{name}=1".encode())
