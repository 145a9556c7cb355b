"""The services of compose.yaml, each in the image: read-only, with an empty home and its account.

The page on deployment says how an installation is made; its commands are called here. What docker
does besides is done by `Container`; all services share one network, so each has other ports.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import duckdb
import pytest
from redis.asyncio import Redis

from gateway.local.process_plan import environment
from gateway.local.redis_server import ServerBinary, free_port
from gateway.redis_access import connections
from gateway.settings import (
    EndpointSettings,
    FeedSettings,
    NotifierSettings,
    RelaySettings,
    Settings,
)
from tests.integration.deploy.container import Container
from tests.integration.deploy.files import DEPLOY, checked, example_env, on_path, services
from tests.integration.deploy.image import BuiltImage, built_image
from tests.integration.feed.feed_client import TOKEN, token
from tests.integration.notifier.sinks import http_sink
from tests.support.eventually import eventually
from tests.support.program import Program
from tests.support.redis_users import denied

_COMMANDS: Final = re.compile(
    r"^    cp deploy/\.env\.example .*?^    done$", re.MULTILINE | re.DOTALL
)
_USER: Final = 10001
_SECRET: Final = "whsec_ZmFrZSBzZWNyZXQgb2YgYSByZWNlaXZlcg=="
_EVENT: Final = {
    "event": "ONCRMTIMELINECOMMENTUPDATE",
    "data[FIELDS][ID]": "4711",
    "auth[member_id]": "010b6886ebc205e43ae65000ee00addb",
    "auth[domain]": "acme.bitrix24.com",
}
_GROUPS: Final = {"audit", "enricher", "notifier", "relay-crm", "warehouse"}
_TRY_TO_WRITE: Final = """
for directory in /dev /etc /opt/gateway /opt/gateway/lib /run /tmp /usr $HOME /var; do
  touch $directory/x && echo $directory/x && rm $directory/x
done
"""
_KEPT: Final = {"audit": {"audit"}, "receiver": {"spool"}, "warehouse": {"warehouse"}}
"""What is in the volumes in the end, which have been the homes of the processes."""


class Installation:
    """What the commands of the page make in `directory`, with further settings on top."""

    def __init__(self, directory: Path, image: BuiltImage, settings: Settings) -> None:
        self.directory, self._image = directory, image
        self._made = directory / "deploy"
        shutil.copytree(DEPLOY, self._made)
        (commands,) = _COMMANDS.findall((DEPLOY / "README.md").read_text())
        checked("bash", "-euc", f"cd {directory}\n{commands}")
        self.env = example_env(self._made / ".env")
        self.redis_port, self.sink_port = free_port(), 0
        self._settings = environment(Settings(), settings)
        self.ports = {name: free_port() for name in services()}
        self.public_port, self.feed_port = free_port(), settings.feed.port

    @property
    def services(self) -> dict[str, Any]:
        return services(self.env)

    @contextmanager
    def redis(self, binary: ServerBinary) -> Iterator[Program]:
        """The server by the command of the compose file, with what that mounts."""
        mounted = dict(self._volume(one, "redis") for one in self.services["redis"]["volumes"])
        inside = {target.removesuffix(":ro"): source for source, target in mounted.items()}
        options = [inside.get(word, word) for word in self.services["redis"]["command"][1:]]
        with Program(
            (binary.path, *options, "--port", str(self.redis_port)),
            log_file=self.directory / "redis.log",
            environment={},
            directory=self.volume("redis"),
        ) as server:
            server.launch()
            yield server
            server.stop_blocking()

    def redis_as(self, account: str) -> Redis:
        password = self.env[f"REDIS_PASSWORD_{account.upper()}"]
        return connections.control(f"redis://{account}:{password}@127.0.0.1:{self.redis_port}/0")

    def container(self, service: str) -> Container:
        """One of this service."""
        described = self.services[service]
        assert described["read_only"]
        given = {name: str(text) for name, text in described["environment"].items()}
        port = str(self.ports[service])
        given["GATEWAY_REDIS_URL"] = given["GATEWAY_REDIS_URL"].replace(
            "@redis:6379", f"@127.0.0.1:{self.redis_port}"
        )
        ports = {f"GATEWAY_{name}_PORT": port for name in ("ADMIN", "RECONCILE", "CONSUMERS")}
        return Container(
            self._image,
            self.directory / service,
            given | ports | {"GATEWAY_HTTP_PORT": str(self.public_port)} | self._settings,
            volumes=[":".join(self._volume(one, service)) for one in described["volumes"]],
            tmpfs=described["tmpfs"],
        )

    def is_healthy(self, service: str) -> bool:
        """What the health check of the image says within the container."""
        kind, *command = self._image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        port = str(self.ports[service])
        words = [word.replace("8081", port) for word in command]
        return self.container(service).run(*words).returncode == 0

    def volume(self, service: str) -> Path:
        """The directory of a named volume, as the image has it at first."""
        directory = self.directory / "volumes" / service
        if not directory.exists():
            directory.mkdir(parents=True)
            os.chown(directory, _USER, _USER)
        return directory

    def _volume(self, text: str, service: str) -> tuple[str, str]:
        source, target = text.split(":", 1)
        if source.startswith("./"):
            return str(self._made / source), target
        assert source == service
        return str(self.volume(service)), target


def settings_for_sinks(port: int) -> Settings:
    """What the example leaves to whoever has services: one that is pushed to, one that asks."""
    pushed = EndpointSettings(name="crm", url=f"http://127.0.0.1:{port}/pushed", secrets=(_SECRET,))
    return Settings(
        notifier=NotifierSettings(allow_private=True),
        relay=RelaySettings(allow_private=True, endpoints=(pushed,)),
        feed=FeedSettings(port=free_port(), tokens=(token(),)),
    )


async def groups_of(redis: Redis) -> set[str]:
    """The groups that are there; none while the server or a stream is not."""
    try:
        return {
            group["name"].decode()
            for stream in ("b24:events:{0}", "b24:comments:{0}")
            if await redis.exists(stream)
            for group in await redis.xinfo_groups(stream)
        }
    except connections.AWAY:
        return set()


def in_warehouse(installation: Installation) -> str:
    """The ids of what was loaded, as text."""
    file = installation.volume("warehouse") / "warehouse" / "warehouse.duckdb"
    try:
        with duckdb.connect(str(file), read_only=True) as database:
            return str(database.execute("SELECT event_id FROM bitrix24.comment_events").fetchall())
    except (duckdb.IOException, duckdb.CatalogException):  # not there yet, or being loaded
        return ""


async def answered(url: str, **options: Any) -> tuple[int, str, Mapping[str, str]]:
    async with aiohttp.ClientSession() as session:
        how = session.post if "data" in options else session.get
        async with how(url, **options) as answer:
            return answer.status, await answer.text(), answer.headers


@pytest.mark.timeout(900)
async def test_an_event_goes_through_all_services_each_in_a_container_that_is_read_only(
    server_binary: ServerBinary, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    on_path("openssl")
    image = built_image()
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(http_sink())
        installation = Installation(tmp_path, image, settings_for_sinks(sink.port))
        installation.env["SALES_ROUTE_URL"] = sink.url
        programs = stack.enter_context(ExitStack())
        programs.enter_context(installation.redis(server_binary))
        redis = installation.redis_as("admin")
        stack.push_async_callback(redis.aclose)
        ours = [
            name
            for name, service in installation.services.items()
            if name != "redis" and "profiles" not in service
        ]
        started = programs.enter_context(ExitStack())
        for name in ours:
            command = installation.services[name]["command"]
            started.enter_context(installation.container(name).running(*command))

        async def are_ready() -> bool:
            return await groups_of(redis) >= _GROUPS

        await eventually(are_ready, timeout_s=200)
        for name in ours:
            await eventually(partial(installation.is_healthy, name), timeout_s=100)

        status, text, headers = await answered(
            f"http://127.0.0.1:{installation.public_port}/bitrix24/events",
            data=_EVENT | {"auth[application_token]": installation.env["ACME_APPLICATION_TOKEN"]},
        )
        event_id = headers["X-Event-Id"]
        assert (status, text) == (200, "ok")

        with subtests.test("every consumer does with it what it is there for"):
            records = installation.volume("audit") / "audit"
            page = f"http://127.0.0.1:{installation.feed_port}/events?after=oldest"
            reader = {"Authorization": f"Bearer {TOKEN}"}

            def is_recorded() -> bool:
                return any(event_id in file.read_text() for file in records.rglob("*.jsonl"))

            async def is_shown() -> bool:
                return event_id in (await answered(page, headers=reader))[1]

            await eventually(is_recorded, timeout_s=60)
            await eventually(is_shown, timeout_s=60)
            await eventually(
                lambda: {one.path for one in sink.received} == {"/", "/pushed"}, timeout_s=60
            )
            await eventually(lambda: event_id in in_warehouse(installation), timeout_s=60)

        with subtests.test("an operator asks how things stand, from a container of the same image"):
            said = installation.container("operator").run("gateway", "status")
            assert said.returncode in {0, 1}, said.stdout + said.stderr
            assert all(name in said.stdout for name in _GROUPS)
            found = installation.container("operator").run("gateway", "doctor", "--json")
            assert found.returncode in {0, 1}, found.stdout + found.stderr
            assert not found.stderr

        with subtests.test("nothing may be written but to the volume and what compose declares"):
            said = installation.container("relay").run("sh", "-c", _TRY_TO_WRITE)
            assert said.stdout.split() == ["/tmp/x", "/var/lib/gateway/x"]

        with subtests.test("Redis has refused nothing"):
            assert await denied(redis) == []

        with subtests.test(
            "all of them stop well, and have kept nothing but what they are to keep"
        ):
            started.close()
            kept = {name: installation.volume(name) for name in ours}
            named = {name: {one.name for one in path.iterdir()} for name, path in kept.items()}
            assert {name: names for name, names in named.items() if names} == _KEPT
            assert [path for one in kept.values() for path in one.rglob("*.pyc")] == []
