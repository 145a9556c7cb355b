"""What a dead letter and the log say about where a handler raised."""

from pathlib import Path

import pytest

from consumers.runtime.tracebacks import traceback_of


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def handler(error: Exception, cause: Exception | None = None) -> None:
    value = "FAKE-" + "VALUE"  # must not be shown
    assert value
    raise error from cause


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        handler(error, cause)
    return caught.value


def test_it_names_the_line_and_no_values() -> None:
    told = traceback_of(raised(KeyError("missing")))

    assert f'File "{Path(__file__)}"' in told
    assert "raise error from cause" in told
    assert told.endswith("KeyError: 'missing'")
    assert "FAKE-VALUE" not in told


def test_the_causes_are_part_of_it() -> None:
    told = traceback_of(raised(ValueError("second"), raised(KeyError("first"))))

    assert told.index("KeyError: 'first'") < told.index("ValueError: second")


def test_secrets_and_control_characters_are_left_out() -> None:
    told = traceback_of(raised(ValueError("token=FAKE-SECRET a\x1b]0;title\x07b\u202ec")))

    assert told.endswith("ValueError: token=*** a\ufffd]0;title\ufffdb\ufffdc")


def test_a_long_one_keeps_its_end() -> None:
    error = raised(KeyError("first"))
    for number in range(60):
        error = raised(ValueError(number), error)
    told = traceback_of(error)

    assert len(told) <= 4000 + len("...\n")
    assert told.startswith("...\n")
    assert told.endswith("ValueError: 59")


def test_a_long_text_is_cut() -> None:
    assert len(traceback_of(raised(ValueError(5000 * "x")))) <= 4000 + len("...\n")


def test_what_was_returned_and_never_raised_has_none() -> None:
    assert traceback_of(ValueError("returned")) == ""


def test_an_exception_that_cannot_be_shown_ends_nothing() -> None:
    assert isinstance(traceback_of(raised(Unspeakable())), str)
