import json
from datetime import UTC, datetime

from gateway.local.lines import Lines

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
LOG = (
    '{"event": "listening", "level": "info", "timestamp": "2026-01-31T11:59:58.5Z", "process": "x"'
)


def shown(text: str, *, in_colour: bool = False, as_json: bool = False) -> str:
    lines = Lines(["audit", "redis"], in_colour=in_colour, as_json=as_json, zone=UTC)
    return lines.line("audit", text, now=NOW)


def test_any_line_gets_its_time_and_the_name_of_its_process() -> None:
    assert shown("hello") == "12:00:00 audit  hello"
    lines = Lines(["a", "warehouse"], in_colour=False, as_json=False, zone=UTC)
    assert lines.line("a", "x", now=NOW) == "12:00:00 a          x"


def test_a_log_line_becomes_a_sentence_with_its_keys_at_its_own_time() -> None:
    text = LOG + ', "port": 8080, "url": "http://x", "note": "two words", "none": null}'

    assert shown(text) == (
        "11:59:58 audit  listening  port=8080 url=http://x note='two words' none=null"
    )


def test_a_warning_says_so_and_an_exception_keeps_its_lines() -> None:
    text = LOG.replace("info", "error") + ', "exception": "Traceback\\n  boom"}'

    assert shown(text).splitlines() == [
        "11:59:58 audit  error: listening",
        "11:59:58 audit  Traceback",
        "11:59:58 audit    boom",
    ]


def test_json_that_is_no_log_line_stays_as_it_is() -> None:
    for text in ('{"a": 1}', "{", "[1]", '{"event": "x"'):
        assert shown(text) == f"12:00:00 audit  {text}"
    assert shown('{"event": "x", "timestamp": 5}') == "12:00:00 audit  x"


def test_colour_is_there_only_when_asked_for() -> None:
    text = LOG.replace("info", "warning") + "}"

    assert "\x1b[33mwarning: listening\x1b[0m" in shown(text, in_colour=True)
    assert "\x1b" not in shown(text)


def test_a_process_can_colour_its_lines_but_not_command_the_terminal() -> None:
    assert shown("\x1b[31mred\x1b[0m") == "12:00:00 audit  \x1b[31mred\x1b[0m"
    assert shown("\x1b[2J\x07\x9b1A") == "12:00:00 audit  \ufffd[2J\ufffd\ufffd1A"


def test_for_machines_every_line_is_json_and_log_lines_are_untouched() -> None:
    assert shown(LOG + "}", as_json=True) == LOG + "}"
    assert json.loads(shown("hello", as_json=True)) == {
        "process": "audit",
        "event": "hello",
        "level": "info",
        "timestamp": "2026-01-31T12:00:00.000Z",
    }
