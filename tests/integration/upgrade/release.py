"""An installation of which each process may be of this release or of the one before."""

import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from gateway.sandbox.portal import SANDBOX
from tests.support.consumer_process import ConsumerProcess
from tests.support.program import ROOT, surroundings
from tests.support.receiver_process import Receiver
from tests.support.starting import finished

__all__ = ["BEFORE_TAGS", "SERVICE", "Machine", "unpacked_release"]

BEFORE_TAGS: Final = "f8455cda7f2c4f1f735263f36cfdb8bc6c3dce5e"
"""What counts as the release before 0.2.0, until there are tags."""

SERVICE: Final = "service:app"
_SERVICE: Final = """
import os
from pathlib import Path
from consumers import Consumer

app = Consumer(group="index", stream="events", start="beginning")


@app.on("*")
async def index(event) -> None:
    if event.type.startswith("bitrix24."):
        with Path(os.environ["SERVICE_EFFECTS"]).open("a") as file:
            file.write(f"{event.id} {event.subject}\\n")
"""
_PORTALS: Final = [
    {
        "member_id": SANDBOX.member_id,
        "domain": SANDBOX.domain,
        "application_tokens": [SANDBOX.application_token],
    }
]


def unpacked_release(directory: Path) -> Path | None:
    """The source of the release before this one, unpacked; None if its history is not here."""
    tag = _git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD~1")
    packed = _git("archive", tag.decode().strip() if tag else BEFORE_TAGS)
    if packed is None:
        return None
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(directory, filter="data")
    return directory


def _git(*words: str) -> bytes | None:
    done = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, check=False)
    return None if done.returncode else done.stdout


class Machine:
    """A receiver with its spool, an audit log and a service, on a server.

    Each is started of a release: the directory of its source, None for this one.
    """

    def __init__(self, directory: Path, redis_url: str) -> None:
        self.directory, self.spool, self.audit = directory, directory / "spool", directory / "audit"
        self._url = redis_url
        self._settings = {
            "REDIS_URL": redis_url,
            "SPOOL_DIR": str(self.spool),
            "AUDIT_DIR": str(self.audit),
            "PORTALS": json.dumps(_PORTALS),
            "PUBLISH_DEADLINE_S": "0.5",
            "CONSUMERS_LEASE_S": "2",
        }
        directory.mkdir(exist_ok=True)
        (directory / "service.py").write_text(_SERVICE)

    @asynccontextmanager
    async def receiving(self, release: Path | None, **settings: str) -> AsyncIterator[Receiver]:
        """A started receiver, stopped at the end."""
        with Receiver(
            self.directory,
            self._url,
            spool=self.spool,
            settings=self._settings | settings,
            environment=_of(release),
        ) as receiver:
            await receiver.start()
            yield receiver
            if receiver.is_running:
                assert await receiver.stop() == 0

    @contextmanager
    def consuming(self, release: Path | None, name: str) -> Iterator[ConsumerProcess]:
        """A started consumer, stopped at the end."""
        environment = {f"GATEWAY_{name}": text for name, text in self._settings.items()}
        with ConsumerProcess(name, self.directory, environment | _of(release)) as process:
            process.launch()
            yield process
            process.stop_blocking()

    def effects(self) -> list[tuple[str, str]]:
        """What the service has handled, in order: ids and subjects."""
        file = self.directory / "effects"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(one, subject) for one, subject in (line.split() for line in lines)]

    def handled(self) -> Counter[str]:
        """How often the service has handled each event."""
        return Counter(event_id for event_id, _ in self.effects())

    async def recorded(self) -> Counter[str]:
        """How often each event of Bitrix24 is in the audit log."""
        lines = (await self._said("show", "--json")).splitlines()
        return Counter(
            line.partition('"id":"')[2].partition('"')[0]
            for line in lines
            if '"kind":"event"' in line and '"type":"bitrix24.' in line
        )

    async def verified(self) -> str:
        """The last line of what the audit log's verification says."""
        return (await self._said("verify", str(self.audit))).splitlines()[-1]

    async def _said(self, *words: str) -> str:
        done = await finished(
            (sys.executable, "-m", "consumers", "audit", *words),
            directory=self.directory,
            environment=surroundings()
            | {f"GATEWAY_{name}": text for name, text in self._settings.items()},
        )
        return done.stdout


def _of(release: Path | None) -> dict[str, str]:
    """Where Python finds the gateway of a release, and the service beside it."""
    return {} if release is None else {"PYTHONPATH": str(release)}
