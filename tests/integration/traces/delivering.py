"""Deliveries to a receiver, and a receiver that exports its spans."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from gateway.drill.delivery_load import FIRST_TS
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX, PortalIdentity
from tests.support.receiver_process import Receiver

__all__ = ["deliver", "traced_receiver"]


def traced_receiver(
    directory: Path,
    redis_url: str,
    environment: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
) -> Receiver:
    return Receiver(
        directory,
        redis_url,
        spool=directory / "spool",
        settings=settings,
        environment=environment,
    )


async def deliver(
    port: int,
    *comment_ids: int,
    headers: Mapping[str, str] | None = None,
    portal: PortalIdentity = SANDBOX,
) -> list[str]:
    """The ids of the events of these comments, which are delivered at once and stored."""
    url = f"http://127.0.0.1:{port}/bitrix24/events"
    form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(comment_id: int) -> str:
            body = body_of("comment.updated", portal=portal, ts=FIRST_TS, subject_id=comment_id)
            async with session.post(url, data=body, headers=form) as answer:
                assert answer.status == 200, await answer.text()
                return answer.headers["X-Event-Id"]

        return list(await asyncio.gather(*(one(comment_id) for comment_id in comment_ids)))
