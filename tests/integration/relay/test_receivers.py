"""The receivers of docs/relay.md, as they stand there, take what is signed and nothing else."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import json
from redis.asyncio import Redis

from gateway.contract import encode_event
from gateway.local.redis_server import free_port
from tests.integration.notifier.processes import comment_event, publish
from tests.integration.relay.receivers import SECRET
from tests.integration.relay.relaying import (
    are_there,
    endpoint,
    relay_command,
    relay_process,
)
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import ROOT, Program

OTHER_SECRET = "whsec_b25lIHRoYXQgdGhlIHJlY2VpdmVyIGhhcyBub3Q="
LANGUAGES = {
    "php": ("public/receiver.php", ("php", "-S", "127.0.0.1:{port}", "public/receiver.php")),
    "js": ("receiver.mjs", ("node", "receiver.mjs")),
    "python": ("receiver.py", (sys.executable, "receiver.py")),
}


def on_the_page(language: str) -> str:
    page = (ROOT / "docs" / "relay.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return str(code)


@contextmanager
def running(language: str, directory: Path) -> Iterator[int]:
    """The port of a receiver of the page."""
    name, argv = LANGUAGES[language]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"no {argv[0]} on this machine")
    port = free_port()
    (directory / "events").mkdir()
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).write_text(on_the_page(language), encoding="utf-8")
    with Program(
        tuple(one.format(port=port) for one in argv),
        log_file=directory / "receiver.log",
        directory=directory,
        environment={"PORT": str(port), "WEBHOOK_SECRET": SECRET},
        is_executed=True,
    ) as program:
        program.launch()
        yield port


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_receiver_of_the_page_takes_what_is_signed_and_nothing_else(
    redis: Redis, redis_url: str, tmp_path: Path, language: str
) -> None:
    with running(language, tmp_path) as port:
        await eventually(lambda: is_listening(port), timeout_s=30)
        url = f"http://127.0.0.1:{port}/receiver.php"
        ours = endpoint("ours", url)
        rotating = endpoint("rotating", url, secrets=[OTHER_SECRET, SECRET])
        foreign = endpoint("foreign", url, secrets=[OTHER_SECRET])
        for name, status in (("ours", 204), ("rotating", 204), ("foreign", 401)):
            done = await relay_command("test", name, "--json", endpoints=(ours, rotating, foreign))
            assert json.decode(done.stdout)["status"] == status, done
            assert done.returncode == (0 if status == 204 else 1)
        assert not any((tmp_path / "events").iterdir())

        with relay_process(redis_url, tmp_path, ours, foreign) as relay:
            await eventually(lambda: are_there(redis, "ours", "foreign"))
            events = [comment_event(number) for number in range(5)]
            await publish(redis, *events)
            files = [tmp_path / "events" / f"{event.id}.json" for event in events]
            await eventually(lambda: all(file.exists() for file in files))
            await eventually(lambda: relay.lines("endpoint takes no events"))

    assert [file.read_bytes() for file in files] == [encode_event(event) for event in events]
    (line,) = relay.lines("endpoint takes no events")
    assert (line["endpoint"], line["error"]) == ("foreign", "it answered 401")
