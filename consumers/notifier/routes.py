"""Makes routes that work out of the settings, or names every fault in them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from consumers.notifier.conditions import Matcher, is_echo, needs_text
from consumers.notifier.notices import Notice
from consumers.notifier.portal_domains import Domains
from consumers.notifier.rendering import Templates
from consumers.notifier.samples import samples
from consumers.notifier.send_plan import SendPolicy
from consumers.notifier.target_portals import is_callable
from consumers.notifier.targets import Target
from consumers.notifier.timing import Timing
from gateway.contract import Event
from gateway.errors import OperatorError
from gateway.network_fence import Fence
from gateway.settings import NotifierSettings, RouteSettings, Settings, resolve_secret

__all__ = ["Channel", "Route", "idle_routes", "routes_for", "routes_of"]

_Made = TypeVar("_Made")
_TEMPLATES: Final = ("title", "body", "digest_title", "digest_body")


class Channel(Struct, frozen=True, eq=False):
    """One target of a route, with all that is needed to tell it something."""

    target: Target
    templates: Templates
    policy: SendPolicy
    max_backlog: int


class Route(Struct, frozen=True, eq=False):
    """Who is told of which events."""

    name: str
    matcher: Matcher
    channels: tuple[Channel, ...]


def routes_of(settings: Settings, domains: Domains | None = None) -> tuple[Route, ...]:
    """The routes in their order; raises OperatorError with one line for each fault, no secrets.

    Their messages lead to portals where `domains` has them; without it, as the settings do.
    """
    domains = domains or Domains.of(settings)
    faults: list[str] = []
    routes: list[Route] = []
    options = settings.notifier
    fence = Fence(
        section="notifier", allow_private=options.allow_private, networks=options.allow_networks
    )
    for number, route in enumerate(options.routes, 1):
        name = route.name or str(number)
        if name in {other.name for other in routes}:
            faults.append(f"[[notifier.routes]] {name} name: two routes have this name")
        routes.append(_route(route, name, settings, domains=domains, fence=fence, faults=faults))
    if faults:
        raise OperatorError("\n".join(dict.fromkeys(faults)))
    return tuple(routes)


def routes_for(
    event: Event, routes: tuple[Route, ...], settings: NotifierSettings
) -> tuple[Route, ...]:
    """The routes that an event goes to, in their order."""
    if is_echo(event, settings):
        return ()
    found = tuple(route for route in routes if route.matcher.matches(event))
    return found[:1] if settings.deliver == "first" else found


def idle_routes(routes: Iterable[Route], settings: Settings) -> list[str]:
    """The names of those that are about no event that the settings take."""
    taken = settings.subscription.rows
    return [one.name for one in routes if not any(samples(one.matcher.route.events, taken))]


def _route(
    route: RouteSettings,
    name: str,
    settings: Settings,
    *,
    domains: Domains,
    fence: Fence,
    faults: list[str],
) -> Route:
    key = f"[[notifier.routes]] {name}"
    if needs_text(route) and settings.notifier.stream != "comments":
        faults.append(
            f"{key}: entity_types, entity_ids, authors and words need "
            'the comments themselves: set [notifier] stream = "comments"'
        )
    timing = _or_fault(faults, lambda: Timing.of(route, name=key)) or Timing()
    tried = [notices for _, notices in samples(route.events, settings.subscription.rows)]
    given = _or_fault(faults, lambda: _checked_sources(route, tried, key)) or {}
    channels: list[Channel] = []
    for number, url in enumerate(route.urls, 1):
        url_key = f"{key} urls[{number}]"
        try:
            target = Target(
                resolve_secret(url, name=url_key),
                name=f"{name}/{number}",
                key=url_key,
                timeout_s=route.timeout_s,
                fence=fence,
            )
            if target.member_id and not is_callable(target.member_id, settings):
                faults.append(
                    f"{url_key}: portal {target.member_id} cannot be called: "
                    "set [[portals]] rest_webhook, or [bitrix24] client_id"
                )
            channels.append(_channel(route, target, timing, given, domains, tried=tried, key=key))
        except OperatorError as fault:
            faults.append(str(fault))
    return Route(name, Matcher.of(route), tuple(channels))


def _or_fault(faults: list[str], make: Callable[[], _Made]) -> _Made | None:
    try:
        return make()
    except OperatorError as fault:
        faults.append(str(fault))
        return None


def _channel(
    route: RouteSettings,
    target: Target,
    timing: Timing,
    given: dict[str, str],
    domains: Domains,
    *,
    tried: Sequence[Sequence[Notice]],
    key: str,
) -> Channel:
    templates = Templates(
        given,
        language=route.language,
        dialect=target.dialect,
        title_dialect=target.title_dialect,
        zone=timing.zone,
        name=key,
        domains=domains,
    )
    templates.check(tried)
    policy = SendPolicy(
        timing=timing,
        max_per_hour=route.max_per_hour,
        max_age_ms=round(route.max_age_s * 1000),
        after_crash=route.after_crash,
    )
    return Channel(target, templates, policy, route.max_backlog)


def _checked_sources(
    route: RouteSettings, tried: Sequence[Sequence[Notice]], key: str
) -> dict[str, str]:
    """The route's own templates, tried as plain text whether or not its URLs work."""
    given = {part: _source(route, part, key) for part in _TEMPLATES}
    Templates(
        given,
        language=route.language,
        dialect="text",
        title_dialect="text",
        zone=ZoneInfo("UTC"),
        name=key,
    ).check(tried)
    return given


def _source(route: RouteSettings, part: str, key: str) -> str:
    source: str = getattr(route, part)
    if not source.startswith("file:"):
        return source
    try:
        return Path(source[5:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{key} {part}: {source} cannot be read: {error}") from error
