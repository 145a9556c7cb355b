"""`gateway up` runs everything on one machine."""

import asyncio
import os

import click

from gateway.commandline import settings_of
from gateway.local.assembly import up
from gateway.local.process_plan import shared_modules
from gateway.processes.fork_server import forked_server
from gateway.settings import is_given

__all__ = ["command"]


@click.command("up")
@click.option("--demo", "with_demo", is_flag=True, help="With a sandbox portal that sends events.")
@click.pass_context
def command(context: click.Context, *, with_demo: bool) -> None:
    r"""Run everything on this machine: Redis, receiver, consumers.

    Each runs as a process of its own and is started again if it dies. Redis is an embedded server
    with its files in var/redis, unless [redis] url is set. Ctrl-C stops everything in order.
    Commands that are called in this directory meanwhile work with its settings. More:
    docs/sandbox.md.

    \b
    gateway up --demo
    gateway up --config my.toml
    """
    config = context.find_root().params["config"]
    settings = settings_of(context, are_of_running_up=False)
    # Before there is an event loop: what is forked has this process' one thread and nothing open.
    with forked_server(shared_modules(settings, with_demo=with_demo)) as server:
        asyncio.run(
            up(
                settings,
                config=config,
                server=server,
                with_own_redis=not is_given("redis", "url", config, os.environ),
                with_demo=with_demo,
            )
        )
