"""Wires settings, Redis, processes, terminal and demo together for `gateway up`."""

import asyncio
import os
import shutil
import sys
from contextlib import AbstractContextManager, AsyncExitStack
from functools import partial
from os.path import relpath
from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import OperatorError, SettingsError
from gateway.local import demo
from gateway.local.console import OWN_NAME, Console
from gateway.local.demo_portal import DemoPortal, open_demo_portal
from gateway.local.demo_services import open_demo_services
from gateway.local.demo_settings import demo_settings
from gateway.local.embedded import EmbeddedRedis, embedded_redis
from gateway.local.lines import Lines
from gateway.local.ports import is_taken
from gateway.local.process_plan import (
    NAMES,
    consumers_of,
    environment,
    listening_ports,
    streams_read,
    tiers,
    welcome,
)
from gateway.local.redis_server import free_port
from gateway.local.vault_key import KEY_FILE, ensured_key
from gateway.processes.fork_launcher import ForkLauncher
from gateway.processes.fork_server import ForkServer
from gateway.processes.supervisor import Supervisor
from gateway.settings import Settings, load, settings_file
from gateway.settings.running_up import RunningUp, left_for_commands
from gateway.vault.encryption import is_available

__all__ = ["up"]

_REDIS_DIR: Final = Path("var/redis")
_WAITING: Final = f"waiting for an earlier run's Redis to leave {_REDIS_DIR}"
_REDIS_WAIT_S: Final = 15.0
# The receiver finishes what is in flight for [http] grace_s; the others are quicker.
_MORE_GRACE_S: Final = 5.0


async def up(
    given: Settings,
    *,
    config: str | None,
    server: ForkServer | None,
    with_own_redis: bool,
    with_demo: bool,
) -> None:
    """Run everything until SIGINT or SIGTERM, and return when all of it has ended.

    `config` is the file that the processes read, too; `server` forks them, if there is one. Raises
    OperatorError if something cannot start.
    """
    settings = _with_vault(_with_ports(given, with_feed=bool(given.feed.tokens) or with_demo))
    console = Console(_lines(settings))
    embedded: EmbeddedRedis | None = None
    portal: DemoPortal | None = None
    async with AsyncExitStack() as stack:
        if with_own_redis:
            embedded = stack.enter_context(_own_redis(console))
            redis = msgspec.structs.replace(settings.redis, url=embedded.url)
            settings = msgspec.structs.replace(settings, redis=redis)
        if with_demo:
            services = await stack.enter_async_context(open_demo_services(console.said))
            portal = await stack.enter_async_context(open_demo_portal(console.said))
            settings = demo_settings(
                settings,
                services=services,
                authorization_url=portal.sandbox.authorization_url,
                application=portal.sandbox.application,
            )
        console.welcome = welcome(
            settings,
            command=_command(),
            own_redis=embedded.name if embedded else None,
            with_demo=with_demo,
        )
        stack.enter_context(left_for_commands(_running(config, settings)))
        supervisor = Supervisor(
            tiers(
                config,
                environment(given, settings),
                consumers=consumers_of(settings),
                # Where any port will do, it will for all.
                ports=listening_ports(settings, is_taken) if given.admin.port else {},
                redis=embedded.child if embedded else None,
                receiver_ready=lambda: _listening(settings),
            ),
            console,
            grace_s=settings.http.grace_s + _MORE_GRACE_S,
            farewell=partial(_farewell, settings, portal) if portal else None,
            launcher=stack.enter_context(ForkLauncher(server)) if server else None,
        )
        if portal is not None:
            await _with_demo(supervisor, settings, portal, console)
        else:
            await supervisor.run()
    console.said(OWN_NAME, "everything has ended")


def _running(config: str | None, settings: Settings) -> RunningUp:
    """What commands in this directory are told of these settings."""
    file = settings_file(config, os.environ)
    try:
        of_file = load(None if file is None else str(file), {})
    except SettingsError:  # it takes the environment to make sense of it
        of_file = Settings()
    return RunningUp(
        pid=os.getpid(),
        config=None if file is None else str(file.absolute()),
        variables=environment(of_file, settings),
    )


async def _farewell(settings: Settings, portal: DemoPortal) -> None:
    """Let the portal go when nobody asks it for anything any more."""
    await demo.until_handled(settings, streams_read(settings))
    await portal.farewell()


async def _with_demo(
    supervisor: Supervisor, settings: Settings, portal: DemoPortal, console: Console
) -> None:
    async def demonstrate() -> None:
        await console.is_ready.wait()
        await demo.run(settings, streams_read(settings), portal, console.said)

    try:
        async with asyncio.TaskGroup() as tasks:
            console.before_stop = tasks.create_task(demonstrate()).cancel
            await supervisor.run()
    except ExceptionGroup as group:
        raise _first(group) from None


def _first(error: Exception) -> Exception:
    """What went wrong first, without the groups that tasks wrap around it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _with_ports(settings: Settings, *, with_feed: bool) -> Settings:
    """The settings with a free port where any port will do; raises OperatorError for a taken one.

    Where any will do for the receiver, it will for the feed. The processes would say so themselves,
    but only after everything else has been started.
    """
    chosen = {}
    for section in ("http", "admin", "feed") if with_feed else ("http", "admin"):
        listener = getattr(settings, section)
        if listener.port == 0 or (section == "feed" and settings.http.port == 0):
            chosen[section] = msgspec.structs.replace(listener, port=free_port())
        elif is_taken(listener.host, listener.port):
            raise OperatorError(
                f"[{section}] port: {listener.port} is taken on {listener.host}; "
                f"set GATEWAY_{section.upper()}_PORT to another one, or to 0 for any free one"
            )
    return msgspec.structs.replace(settings, **chosen)


def _with_vault(settings: Settings) -> Settings:
    """The settings with a key of the vault, made here where there is none."""
    if settings.vault.keys or not is_available():
        return settings
    ensured_key(KEY_FILE)
    vault = msgspec.structs.replace(settings.vault, keys=(f"file:{KEY_FILE}",))
    return msgspec.structs.replace(settings, vault=vault)


def _own_redis(console: Console) -> AbstractContextManager[EmbeddedRedis]:
    waiting = partial(console.said, OWN_NAME, _WAITING)
    return embedded_redis(_REDIS_DIR, waiting=waiting, wait_s=_REDIS_WAIT_S)


def _command() -> str:
    """How a person calls this program in another terminal in the same directory."""
    return "gateway" if shutil.which("gateway") else min(sys.argv[0], relpath(sys.argv[0]), key=len)


def _lines(settings: Settings) -> Lines:
    return Lines(
        (OWN_NAME, *NAMES, *demo.NAMES),
        in_colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
        as_json=settings.log.format == "json",
        zone=None,
    )


async def _listening(settings: Settings) -> None:
    """Wait until the receiver listens; should it never, its process ends and says why."""
    while True:
        try:
            _, writer = await asyncio.open_connection(settings.http.host, settings.http.port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
