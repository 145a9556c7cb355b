"""Which texts and values are numbers; and that everybody who reads a portal's takes the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bitrix24.answers import Answer
from gateway.bitrix24.batching import answers_of
from gateway.bitrix24.rest_comment import comment_id_of, comment_of
from gateway.contract import COMMENT_ADDED, CommentEvent, wire_name_of
from gateway.event_subscription import EventSubscription
from gateway.inbound.errors import Malformed
from gateway.inbound.form import parse_form
from gateway.inbound.form_event import EventReader
from gateway.inbound.form_fields import FormFields
from gateway.installation.claim import claim_of_page
from gateway.installation.event_tokens import event_token_of
from gateway.missed_events.queue_rows import QueueRows
from gateway.php_numbers import MAX_INTEGER, MIN_INTEGER, integer_of

CASES = {
    "1": 1,
    "7": 7,
    "1766047124": 1_766_047_124,
    "999999999999999999": 10**18 - 1,
    "1000000000000000000": 10**18,
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": None,
    "9999999999999999999": None,
    "18446744073709551617": None,
    "9" * 5000: None,
    "007": None,
    "00": None,
    "0": None,
    "-0": None,
    "-7": None,
    "+7": None,
    " 7": None,
    "7 ": None,
    "7\n": None,
    "7\0": None,
    "": None,
    "-": None,
    "7.0": None,
    "7.5": None,
    "1e3": None,
    "0x1F": None,
    "1_000": None,
    "1,000": None,
    "7a": None,
    "true": None,
    "٧": None,
    "７": None,
    "²": None,
}
"""Texts of ids, and the number that each is."""
EXPIRES = 3000
READER = EventReader(EventSubscription())


def of_an_event(text: str) -> int | None:
    wire_name = wire_name_of(COMMENT_ADDED)
    fields = FormFields(fields_id=text)
    try:
        admitted = READER.admitted_event(
            fields, wire_name, member_id="a", domain="b", receipt_id="c", received_ms=0
        )
    except Malformed:
        return None
    assert admitted is not None
    assert not isinstance(admitted.subject.id, str)
    return admitted.subject.id


def of_who_caused_an_event(text: str) -> int | None:
    admitted = READER.admitted_event(
        FormFields(fields_id="1", user_id=text),
        wire_name_of(COMMENT_ADDED),
        member_id="a",
        domain="b",
        receipt_id="c",
        received_ms=0,
    )
    assert admitted is not None
    assert isinstance(admitted.event, CommentEvent)
    return admitted.event.data.user_id


def of_a_comment(text: str) -> int | None:
    return comment_id_of({"ID": text})


def of_its_author(text: str) -> int | None:
    return comment_of({"ID": 1, "AUTHOR_ID": text}, fetched_at=datetime.now(UTC)).author_id


def of_an_offline_row(text: str) -> int | None:
    row = QueueRows(EventSubscription()).row_of(
        {
            "TIMESTAMP_X": "2024-07-18T12:32:31+02:00",
            "EVENT_NAME": wire_name_of(COMMENT_ADDED),
            "EVENT_DATA": {"FIELDS": {"ID": text}},
            "MESSAGE_ID": "0123456789abcdef0123456789abcdef",
        }
    )
    return row.subject.id if row and isinstance(row.subject.id, int) else None


def of_an_installation(text: str) -> int | None:
    body = f"AUTH_ID=fake&REFRESH_ID=fake&member_id=a&user_id={escaped(text)}"
    return claim_of_page(body.encode(), received_s=0).user_id or None


def of_an_event_token(text: str) -> int | None:
    auth = {"access_token": "fake", "user_id": escaped(text), "expires": EXPIRES}
    body = "&".join(f"auth[{key}]={value}" for key, value in auth.items())
    found = event_token_of(body.encode(), now=0)
    return found[0].user_id if found else None


def of_the_next_page(text: str) -> int | None:
    tree = {"result": {"a": []}, "result_next": {"a": text}}
    answer = answers_of(tree, ["a"], now=0.0, secrets=())["a"]
    assert isinstance(answer, Answer)
    return answer.next_start or None


def escaped(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


READERS: list[Callable[[str], int | None]] = [
    integer_of,
    of_an_event,
    of_who_caused_an_event,
    of_a_comment,
    of_its_author,
    of_an_offline_row,
    of_an_installation,
    of_an_event_token,
    of_the_next_page,
]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize(
    ("text", "number"), CASES.items(), ids=[ascii(text)[:24] for text in CASES]
)
def test_every_reader_takes_the_same_texts_for_numbers(
    text: str, number: int | None, read: Callable[[str], int | None]
) -> None:
    assert read(text) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (0, None),
        (-7, None),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (7.0, None),
        (1e300, None),
        (float("nan"), None),
        (True, None),
        (False, None),
        (None, None),
        (b"7", None),
        ([], None),
        ({"7": 7}, None),
    ],
)
def test_of_what_json_has_only_whole_numbers_are_ones(value: Any, number: int | None) -> None:
    assert integer_of(value) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-7", -7),
        ("-0", None),
        ("-07", None),
        ("--7", None),
        ("-9223372036854775808", MIN_INTEGER),
        ("-9223372036854775809", None),
        ("9223372036854775807", MAX_INTEGER),
    ],
)
def test_who_asks_for_them_gets_numbers_below_one(text: str, number: int | None) -> None:
    assert integer_of(text, least=MIN_INTEGER) == number


@pytest.mark.parametrize("text", [text for text in CASES if text and "\0" not in text])
def test_an_array_goes_on_behind_the_keys_that_are_numbers(text: str) -> None:
    number = integer_of(text, least=MIN_INTEGER)
    array = parse_form(f"a[{escaped(text)}]=x&a[]=y".encode())["a"]
    assert isinstance(array, dict)
    if number == MAX_INTEGER:
        assert array == {text: "x"}
    else:
        assert array == {text: "x", str(0 if number is None else number + 1): "y"}
