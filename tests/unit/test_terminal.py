"""What others wrote draws nothing on a terminal, in words and in JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ops.text_tables import table
from gateway.terminal import indented_json, json_line, printable, printable_lines

HOSTILE = "a\x1b]0;owned\x07b\r\nc\x7fd\x9be\u202ef"


def test_words_are_one_line_without_controls() -> None:
    assert printable(HOSTILE) == "a�]0;owned�b��c�d�e�f"
    assert printable("как дела 🎉") == "как дела 🎉"


def test_a_text_of_several_lines_keeps_them() -> None:
    assert printable_lines("one\n\x1btwo\r\n") == "one\n�two"


@given(st.text())
def test_json_is_printable_and_read_as_it_was(text: str) -> None:
    if any("\ud800" <= one <= "\udfff" for one in text):
        return
    line = json_line({"text": text})

    assert line.isprintable()
    assert json.loads(line) == {"text": text}
    assert json.loads(indented_json({"text": text})) == {"text": text}


@pytest.mark.parametrize("one", ["\x7f", "\x9b", "\u202e", "\u2066", "\u2028", "\U000e0001"])
def test_what_json_would_leave_raw_is_escaped(one: str) -> None:
    assert one not in json_line([one])
    assert json.loads(json_line([one])) == [one]


def test_a_cell_of_a_table_forges_no_row() -> None:
    lines = table(("ERROR", "WHY"), [(HOSTILE, None)]).splitlines()

    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
