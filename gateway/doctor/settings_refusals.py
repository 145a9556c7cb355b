"""Finds what processes would refuse to start with, though each value by itself is right."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from gateway.bitrix24.connecting import connect
from gateway.bitrix24.declared_fetches import declared_fetches
from gateway.errors import OperatorError
from gateway.portals.directory import portals_of
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings
from gateway.vault.encryption import Vault
from gateway.web.protection.guard import clients_of, guard_of
from gateway.web.protection.visitor_rules import VisitorRules

__all__ = ["refusals"]


async def refusals(settings: Settings) -> list[str]:
    """One line per fault: secrets that are missing or wrong, networks that are none, methods that
    cannot fetch what they are to.

    Makes what `gateway serve`, `gateway reconcile` and the enricher make at their start, and
    connects to nothing.
    """
    makers: list[Callable[[], object]] = [
        lambda: RedisAddress.of(settings.redis.url),
        lambda: portals_of(settings.portals),
        lambda: Vault.of(settings.vault),
        lambda: declared_fetches(settings.events),
        lambda: clients_of(settings.http),
        lambda: guard_of(settings.http),
        lambda: VisitorRules(settings.console),
    ]
    found: list[str] = []
    for make in makers:
        try:
            make()
        except OperatorError as error:
            found += str(error).splitlines()
    if not found:  # what calls portals needs most of it
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(connect(settings))
        except OperatorError as error:
            found += str(error).splitlines()
    return list(dict.fromkeys(found))
