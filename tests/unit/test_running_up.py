"""Whose settings a command works with, where a `gateway up` runs in its directory."""

import multiprocessing
import os
from pathlib import Path

import pytest

from gateway.settings.running_up import FILE, RunningUp, left_for_commands, load_here, running_up

URL = "redis://127.0.0.1:1234/0"


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def of(config: Path | None = None) -> RunningUp:
    """A running one that has this file, and a Redis of its own."""
    name = None if config is None else str(config.absolute())
    return RunningUp(pid=1, config=name, variables={"GATEWAY_REDIS_URL": URL})


def url_here(config: str | None = None, **environ: str) -> str:
    return load_here(config, environ)[0].redis.url


def written(name: str, url: str) -> Path:
    path = Path(name)
    path.write_text(f'[redis]\nurl = "{url}"\n')
    return path


def test_the_settings_of_the_running_one_are_found_for_as_long_as_it_runs() -> None:
    with left_for_commands(of()):
        assert url_here() == URL
        assert FILE.stat().st_mode & 0o777 == 0o600
    assert url_here() != URL
    assert list(FILE.parent.iterdir()) == []


def test_the_environment_goes_before_it() -> None:
    with left_for_commands(of()):
        assert url_here(GATEWAY_REDIS_URL="redis://other:1/0") == "redis://other:1/0"


def test_a_file_that_is_named_goes_before_it() -> None:
    written("other.toml", "redis://other:1/0")
    with left_for_commands(of()):
        assert url_here("other.toml") == "redis://other:1/0"
        assert url_here(GATEWAY_CONFIG="other.toml") == "redis://other:1/0"


def test_a_file_that_has_come_since_goes_before_it() -> None:
    with left_for_commands(of()):
        written("gateway.toml", "redis://other:1/0")
        assert url_here() == "redis://other:1/0"


def test_of_the_file_that_it_has_read_it_says_what_became() -> None:
    """`[http] port` stands in the file, the Redis of its own does not."""
    for name in ("gateway.toml", "mine.toml"):
        Path(name).write_text("[http]\nport = 4444\n")
    with left_for_commands(of(Path("gateway.toml"))):
        settings, found = load_here(None, {})
        assert (settings.http.port, settings.redis.url) == (4444, URL)
        assert found is not None
        assert url_here("gateway.toml") == URL
        assert url_here("mine.toml") != URL


def _left_and_killed() -> None:
    with left_for_commands(of()):
        os._exit(1)


def test_nobody_believes_one_that_was_killed() -> None:
    process = multiprocessing.get_context("fork").Process(target=_left_and_killed)
    process.start()
    process.join()

    assert FILE.exists()
    assert running_up() is None
    with left_for_commands(of()):
        assert running_up() == of()
    assert not FILE.exists()


def test_the_end_of_one_leaves_what_a_later_one_has_left() -> None:
    with left_for_commands(of(Path("first.toml"))):
        with left_for_commands(of()):
            pass
        with left_for_commands(of()):
            assert running_up() == of()


def test_what_cannot_be_read_is_passed_over() -> None:
    with left_for_commands(of()):
        FILE.write_text("{")
        assert running_up() is None
