"""What the log of a process looks like, and what it leaves out."""

import json
import subprocess
import sys

from gateway.log_floods import Floods

_TOKEN = "fake0token0of0nobody"


def logged(code: str, *, form: str = "json", level: str = "info", own: str = "") -> list[str]:
    """The lines that a process logs that runs this code."""
    preamble = (
        "import logging, structlog\n"
        "from gateway import logs\n"
        "from gateway.settings.sections.log_settings import LogSettings\n"
        f"settings = LogSettings(format={form!r}, level={level!r})\n"
        f"logs.configure(settings, process='p', own={own.split()!r})\n"
        "log = structlog.get_logger()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", preamble + code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stderr.splitlines()


def test_only_secrets_are_masked() -> None:
    (line,) = logged(
        "log.info('a', token_digest='d1', has_token=True, tokens=3, token=None,\n"
        f"  access_token='{_TOKEN}', tokens_of_portal=['{_TOKEN}'], client_secret='{_TOKEN}',\n"
        "  authorization_server='https://oauth.example')"
    )

    told = json.loads(line)
    assert _TOKEN not in line
    assert (told["token_digest"], told["has_token"], told["tokens"]) == ("d1", True, 3)
    assert told["token"] is None
    assert told["authorization_server"] == "https://oauth.example"
    assert told["access_token"] == told["tokens_of_portal"] == told["client_secret"] == "***"


def test_a_traceback_shows_no_local_variables_in_either_form() -> None:
    code = (
        "def deliver():\n"
        f"    body = '{_TOKEN[:8]}' + '{_TOKEN[8:]}'\n"
        "    return 1 / 0\n"
        "try:\n    deliver()\nexcept Exception:\n    log.exception('delivery failed')"
    )
    for form in ("json", "console"):
        text = "\n".join(logged(code, form=form))
        assert "ZeroDivisionError" in text
        assert _TOKEN not in text


def test_a_flood_of_equal_warnings_is_one_line_with_a_count() -> None:
    lines = [
        json.loads(line)
        for line in logged(
            "for _ in range(1000):\n"
            "    log.warning('delivery forbidden', reason='unknown_portal')\n"
            "log.warning('delivery forbidden', reason='another')\n"
            "for n in range(100):\n"
            "    log.error('delivery unavailable', event_id=n)"
        )
    ]

    flood = [line for line in lines if line.get("reason") == "unknown_portal"]
    assert len(flood) < 50
    assert sum(line.get("left_out_lines", 1) for line in flood) == 1000
    assert [line for line in lines if line.get("reason") == "another"]
    assert sum(line["event"] == "delivery unavailable" for line in lines) == 100


def test_a_flood_is_judged_by_the_second_and_by_kind() -> None:
    floods, kind, other = Floods(), ("phrase", "reason"), ("phrase", "other")

    assert sum(floods.admits(kind, 10.0) for _ in range(100)) == 20
    assert floods.admits(other, 10.5)
    assert not floods.admits(kind, 10.9)
    assert floods.admits(kind, 11.0)
    assert floods.left_out() == {kind: 81}
    assert floods.left_out() == {}


def test_what_cannot_be_shown_fails_nobody() -> None:
    lines = logged(
        "class Bad:\n"
        "    def __repr__(self):\n"
        "        raise ValueError\n"
        "log.info('shown', value=Bad())\n"
        "logging.getLogger('x').warning('%d', 'no number')\n"
        "log.info('after')"
    )

    assert [json.loads(line)["event"] for line in lines] == ["shown", "after"]
    assert json.loads(lines[0])["not_shown"] == "ValueError"


def test_a_services_own_loggers_follow_the_level_and_others_stay_at_warning() -> None:
    code = (
        "logging.info('root')\n"
        "logging.getLogger('search.index').debug('own')\n"
        "logging.getLogger('searching').info('not own')\n"
        "logging.getLogger('aiohttp').info('other')\n"
        "logging.getLogger('aiohttp').warning('other warns')"
    )

    def events(level: str, own: str) -> list[str]:
        return [json.loads(line)["event"] for line in logged(code, level=level, own=own)]

    assert events("debug", "search") == ["root", "own", "other warns"]
    assert events("info", "search") == ["root", "other warns"]
    assert events("info", "") == ["other warns"]
