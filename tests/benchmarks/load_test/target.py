"""Finds the installation that is to be loaded, and makes sure that it can be: in one clear line."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.errors import OperatorError
from gateway.ops.answer_times import reached
from gateway.ops.group_removal import GroupInUse, remove_group
from gateway.portals.application_tokens import digest_of
from gateway.portals.registry import Registry
from gateway.redis_access import connections
from gateway.redis_access.stream_information import group_names
from gateway.sandbox.delivery_request import GatewayAnswer, NoAnswer, sending
from gateway.sandbox.portal import PortalIdentity
from gateway.settings import load_here
from gateway.settings.masking import masked
from tests.benchmarks.load_test.load_portal import FIRST_COMMENT_ID, LOAD_PORTAL, body_writer
from tests.benchmarks.load_test.verifying_service import GROUP
from tests.support.eventually import eventually

__all__ = ["LoadRefused", "Target", "is_loopback", "opened", "running_target"]

_KNOWN_S: Final = 15.0
"""Receivers learn of a portal within seconds; so long a refusal is waited out."""
_STORED_S: Final = 5.0
_PAUSE_S: Final = 0.3
_TAIL: Final = 200


class LoadRefused(OperatorError):
    """A load cannot be run like this; the operator has to change something."""


class Target(Struct, frozen=True, kw_only=True):
    """What is loaded: the URL of deliveries, the portal that tells them, the Redis behind it.

    `is_registered_here` says that the portal is registered for as long as the load takes.
    `redis_shown` is its address without a password.
    """

    url: str
    portal: PortalIdentity
    redis_url: str
    redis_shown: str
    streams: Streams
    is_registered_here: bool = False


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine by its words alone."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def running_target(
    url: str, *, portal: PortalIdentity | None, config: str | None, meant: str | None
) -> Target:
    """An installation that runs; its Redis is that of the settings, as for any command.

    Without a `portal`, LOAD_PORTAL is registered meanwhile, by a token of this run. Raises
    LoadRefused for an address that is not of this machine, unless its host is `meant`.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise LoadRefused(f"URL: {url}: not a URL as http://127.0.0.1:8080/bitrix24/events")
    if not is_loopback(url) and meant != parts.hostname:
        raise LoadRefused(
            f"{parts.hostname} is not this machine, and a load may bring it down: "
            f"say so by --i-mean {parts.hostname}"
        )
    settings, _ = load_here(config, os.environ)
    path = parts.path if parts.path.strip("/") else settings.http.path
    return Target(
        url=parts._replace(path=path).geturl(),
        portal=portal or _portal_of_this_run(),
        redis_url=settings.redis.url,
        redis_shown=masked(settings)["redis"]["url"],
        streams=settings.redis.streams,
        is_registered_here=portal is None,
    )


def _portal_of_this_run() -> PortalIdentity:
    """LOAD_PORTAL with a token that nobody knows: its own stands in the source."""
    return replace(LOAD_PORTAL, application_token=secrets.token_hex(16))


@asynccontextmanager
async def opened(target: Target) -> AsyncIterator[Redis]:
    """Redis, once a delivery has been found there; what the load needs is removed at the end.

    That is the verifying group, which begins here, and the portal. Raises LoadRefused.
    """
    async with connections.control(target.redis_url, timeout_s=30) as redis:
        try:
            await reached(redis)
        except connections.FAILURES as error:
            raise LoadRefused(
                f"Redis at {target.redis_shown} does not answer: {error}. These are the settings "
                "of this directory; is the gateway running, and from here?"
            ) from error
        await _is_alone(redis, target.streams)
        async with _registered(redis, target):
            await _is_stored(redis, target)
            async with _verifying_group(redis, target.streams):
                yield redis


async def _is_alone(redis: Redis, streams: Streams) -> None:
    """Raise LoadRefused if there is a verifying group: another load runs, or was killed."""
    names = [name for key in streams.keys("events") for name in await group_names(redis, key)]
    if GROUP in names:
        raise LoadRefused(
            f"there is a group {GROUP}: another load runs, and two at a time are not possible; "
            f"or one was killed, and `gateway groups remove {GROUP}` removes what is left of it"
        )


@asynccontextmanager
async def _registered(redis: Redis, target: Target) -> AsyncIterator[None]:
    """The portal may send meanwhile, if nobody else has seen to that."""
    if not target.is_registered_here:
        yield
        return
    registry = Registry(redis, prefix=target.streams.prefix)
    portal, digest = target.portal, digest_of(target.portal.application_token)
    await registry.add(portal.member_id, portal.domain, digest, now=datetime.now(UTC))
    try:
        yield
    finally:
        found = (await registry.read()).registrations
        await registry.remove(one for one in found if one.digest == digest)


@asynccontextmanager
async def _verifying_group(redis: Any, streams: Streams) -> AsyncIterator[None]:
    """The verifying group begins at the end of each partition, and is removed in the end.

    That is as soon as nobody has its lease any more.
    """

    async def is_removed() -> bool:
        try:
            await remove_group(redis, streams, GROUP)
        except GroupInUse:
            return False
        return True

    try:
        for key in streams.keys("events"):
            await redis.xgroup_create(key, GROUP, "$", mkstream=True)
        yield
    finally:
        await eventually(is_removed)


async def _is_stored(redis: Any, target: Target) -> None:
    """Deliver an event, and find it on a stream."""
    answer = await _answer(target)
    if answer.stored == "spool":
        raise LoadRefused(f"{target.url} takes events into its spool: its Redis is out of reach")
    async with asyncio.timeout(_STORED_S):
        for key in target.streams.keys("events"):
            for _, fields in await redis.xrevrange(key, count=_TAIL):
                if answer.event_id.encode() in fields.get(b"event", b""):
                    return
    raise LoadRefused(
        f"{target.url} does not write to the Redis at {target.redis_shown}: the load has to be run "
        "with the settings of the installation"
    )


async def _answer(target: Target) -> GatewayAnswer:
    """The answer to a delivery, 200. Raises LoadRefused for any other."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (_KNOWN_S if target.is_registered_here else 0)
    body = body_writer(target.portal)(FIRST_COMMENT_ID, int(datetime.now(UTC).timestamp()))
    try:
        async with sending(target.url) as sender:
            while True:
                answer = await sender.send(body)
                if answer.status != 403 or loop.time() > deadline:
                    break
                await asyncio.sleep(_PAUSE_S)
    except NoAnswer as error:
        raise LoadRefused(
            f"nobody answers at {error}: `make run` starts an installation"
        ) from error
    if answer.status == 200 and answer.event_id:
        return answer
    said = f"{target.url} answers {answer.status} {answer.body}"
    if answer.status == 403:
        said = f"{said}: it does not take the token of portal {target.portal.member_id}"
    raise LoadRefused(said)
