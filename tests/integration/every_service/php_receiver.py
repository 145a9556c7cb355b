"""A service in PHP that events are pushed to: a real process, to be held up and killed."""

from base64 import b64encode
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.local.redis_server import free_port
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import Program

__all__ = ["SECRET", "PhpReceiver"]

SECRET: Final = f"whsec_{b64encode(b'fake secret of the PHP receiver').decode()}"
_SCRIPT: Final = Path(__file__).with_name("receiver.php")


class PhpReceiver(Program):
    """One worker of PHP's own server, so that it takes one request at a time."""

    def __init__(self, directory: Path) -> None:
        self._kept = directory / "php"
        self._kept.mkdir()
        self.port = free_port()
        super().__init__(
            ("php", "-n", "-S", f"127.0.0.1:{self.port}", str(_SCRIPT)),
            log_file=directory / "php.log",
            environment={"RECEIVER_DIRECTORY": str(self._kept), "RECEIVER_SECRET": SECRET},
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        self.launch()
        await eventually(lambda: is_listening(self.port))

    def hold(self) -> None:
        """Let it take what comes and not answer."""
        (self._kept / "hold").touch()

    def release(self) -> None:
        (self._kept / "hold").unlink()

    def taken(self) -> list[dict[str, Any]]:
        """The events that were signed, in the order in which they came."""
        return self._noted("taken")

    def refused(self) -> list[dict[str, Any]]:
        """Those that were not."""
        return self._noted("refused")

    def _noted(self, name: str) -> list[dict[str, Any]]:
        path = self._kept / name
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line) for line in lines]
