"""A receiver as a process, to be killed: notes what it was asked before it answers."""

import asyncio
import os
import sys
from pathlib import Path

from aiohttp import web
from standardwebhooks import Webhook

from tests.integration.relay.receivers import SECRET
from tests.support.program import Program

__all__ = ["ReceiverProcess"]


class ReceiverProcess(Program):
    """Answers after `answers_after_s`; each process begins with the line `started` in `asked`."""

    def __init__(self, directory: Path, port: int, *, answers_after_s: float = 0.02) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self._asked = directory / "asked"
        super().__init__(
            (sys.executable, "-m", "tests.integration.relay.receiver_process"),
            log_file=directory / "receiver.log",
            environment={
                "ASKED": str(self._asked),
                "PORT": str(port),
                "ANSWERS_AFTER_S": str(answers_after_s),
            },
        )

    def asked(self) -> list[list[tuple[str, str]]]:
        """The ids and subjects that it was asked for, in order, of each process."""
        asked: list[list[tuple[str, str]]] = []
        for line in self._asked.read_text().splitlines() if self._asked.exists() else ():
            if line == "started":
                asked.append([])
            else:
                event_id, subject = line.split()
                asked[-1].append((event_id, subject))
        return asked


async def _main() -> None:
    with Path(os.environ["ASKED"]).open("a", buffering=1) as file:  # noqa: ASYNC230 - its own
        file.write("started\n")

        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            event = Webhook(SECRET).verify(body, dict(request.headers))
            file.write(f"{event['id']} {event['subject']}\n")
            await asyncio.sleep(float(os.environ["ANSWERS_AFTER_S"]))
            return web.Response(status=204)

        app = web.Application()
        app.router.add_post("/hook", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"])).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
