"""Shows operators samples of the messages, and the state of the outboxes."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from consumers.notifier.outbox import Outbox
from consumers.notifier.rendering import TargetMessage
from consumers.notifier.routes import Channel, Route, idle_routes, routes_of
from consumers.notifier.samples import samples
from consumers.notifier.target_portals import in_reach
from consumers.notifier.targets import SendOutcome
from gateway.contract import EventType
from gateway.errors import OperatorError
from gateway.redis_access import connections
from gateway.redis_access.redis_faults import AWAY, failures_as
from gateway.settings import Settings
from gateway.terminal import json_line

__all__ = ["checked", "show_backlog"]

Show = Callable[[str], object]


async def checked(
    settings: Settings, *, only: str | None, is_sending: bool, as_json: bool, show: Show
) -> bool:
    """Show every sample as every target gets it, and send it if asked; whether all was accepted.

    Raises OperatorError for settings that cannot work, for a route of whose events none is taken,
    or if there is no route called `only`.
    """
    routes = [route for route in routes_of(settings) if only in {None, route.name}]
    if not routes:
        known = ", ".join(
            route.name or str(n) for n, route in enumerate(settings.notifier.routes, 1)
        )
        raise OperatorError(
            f"no such route; there are: {known}" if known else "there are no routes"
        )
    targets = [channel.target for route in routes for channel in route.channels]
    is_good = True
    taken = settings.subscription.rows
    async with in_reach(targets if is_sending else (), settings):
        for route in routes:
            async for line in _samples(route, taken, is_sending=is_sending):
                is_good &= line.get("accepted", True)
                show(json_line(line) if as_json else _text(line))
    if idle := idle_routes(routes, settings):
        why = "events: none of these is taken; name some in [[events]]"
        raise OperatorError("\n".join(f"[[notifier.routes]] {name} {why}" for name in idle))
    return is_good


async def _samples(
    route: Route, taken: Sequence[EventType], *, is_sending: bool
) -> AsyncIterator[dict[str, Any]]:
    for channel in route.channels:
        for sample, notices in samples(route.matcher.route.events, taken):
            message = channel.templates.message(notices, channel.target.room)
            outcome = None
            if is_sending:
                message_id = f"sample-{time.time_ns()}"
                outcome = await channel.target.deliver(message, message_id=message_id)
            yield _line(route, channel, sample, message, outcome)


def _line(
    route: Route, channel: Channel, sample: str, message: TargetMessage, outcome: SendOutcome | None
) -> dict[str, Any]:
    line: dict[str, Any] = {
        "route": route.name,
        "target": channel.target.shown,
        "sample": sample,
        "format": message.dialect,
        "title": message.title,
        "body": message.body,
    }
    if outcome is not None:
        line |= {"accepted": outcome.is_accepted, "reason": outcome.reason}
    return line


def _text(line: dict[str, Any]) -> str:
    text = "--- route {route}, {target} ({format}): {sample}\n{title}\n\n{body}\n".format_map(line)
    if "accepted" not in line:
        return text
    return f"{text}\n=> {'accepted' if line['accepted'] else 'NOT ACCEPTED: ' + line['reason']}\n"


async def show_backlog(settings: Settings, *, as_json: bool, show: Show) -> None:
    """Show for each target how much waits, since when, and how long it is left alone."""
    if not as_json:
        show(f"{'target':24} {'waiting':>8} {'oldest':>9} {'paused':>8}")
    async with connections.control(settings.redis.url) as redis:
        for route in routes_of(settings):
            for channel in route.channels:
                name = channel.target.name
                with failures_as(_out_of_reach, among=AWAY):
                    line = await _state(Outbox(redis, prefix=settings.redis.prefix, name=name))
                if as_json:
                    show(json_line({"target": name} | line))
                else:
                    oldest, paused = (
                        "-" if value is None else f"{value:.0f} s"
                        for value in (line["oldest_s"], line["paused_s"])
                    )
                    show(f"{name:24} {line['waiting']:8} {oldest:>9} {paused:>8}")


def _out_of_reach(error: Exception) -> OperatorError:
    return OperatorError(f"Redis cannot be reached: {error}")


async def _state(outbox: Outbox) -> dict[str, Any]:
    oldest = await outbox.oldest(1)
    paused_ms = await outbox.paused_ms()
    return {
        "waiting": await outbox.size(),
        # Not below 0, where a clock was ahead that took it up.
        "oldest_s": max(0.0, time.time() - oldest[0].notice.since_ms / 1000) if oldest else None,
        "paused_s": paused_ms / 1000 if paused_ms else None,
    }
