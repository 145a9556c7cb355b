"""Makes the settings of the demo: what is taken, and whom it is told. Pure."""

from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.errors import OperatorError
from gateway.local.demo_services import DemoServices
from gateway.sandbox.grants import RegisteredApplication
from gateway.sandbox.portal import SANDBOX
from gateway.settings import (
    EventSettings,
    FeedTokenSettings,
    NotifierSettings,
    PortalSettings,
    RelaySettings,
    RouteSettings,
    Settings,
)

__all__ = ["FEED_TOKEN", "demo_settings"]

FEED_TOKEN: Final = "b24feed_fake-token-of-the-demo"  # noqa: S105 - README.md has it
"""By which the demo's feed is read."""

_EVENTS: Final = (
    EventSettings(name="onCrmTimelineComment*"),
    EventSettings(name="onCrmDeal*", fetch="crm.item.get"),
    EventSettings(name="onTask*", fetch="tasks.task.get"),
)
_TOLD: Final = ("bitrix24.crm.*", "bitrix24.task.*")
_THIS_MACHINE: Final = ("127.0.0.1", "localhost")
_LOOPBACK: Final = ("127.0.0.1/32",)


def demo_settings(
    settings: Settings,
    *,
    services: DemoServices,
    authorization_url: str,
    application: RegisteredApplication,
) -> Settings:
    """The same with the sandbox's application, whose events are told to `services` and the feed.

    The notifier's own settings, endpoints and tokens are left out: nobody wants the demo's
    notifications, one a second, nor its events. Without `[[events]]`, those of comments, deals and
    tasks are taken. The portal is registered by its well-known token, too, for `gateway trigger`
    and `curl`. Raises OperatorError for settings that do not go with a demo.
    """
    if settings.bitrix24.listed:
        raise OperatorError(
            "[bitrix24] client_id: the demo brings an application of its own; "
            "run it without this one, or this one without --demo"
        )
    handler = urlsplit(settings.http.local_url)
    if handler.hostname not in _THIS_MACHINE:
        raise OperatorError(
            f"[http] host: {settings.http.host} is not where the demo's portal delivers; "
            "leave it at 127.0.0.1"
        )
    known = PortalSettings(
        member_id=SANDBOX.member_id,
        domain=SANDBOX.domain,
        application_tokens=(SANDBOX.application_token,),
    )
    others = [portal for portal in settings.portals if portal.member_id != SANDBOX.member_id]
    reader = FeedTokenSettings(
        name="demo", digests=(sha256(FEED_TOKEN.encode()).hexdigest(),), texts=True
    )
    return msgspec.structs.replace(
        settings,
        portals=(*others, known),
        events=settings.events or _EVENTS,
        bitrix24=msgspec.structs.replace(
            settings.bitrix24,
            authorization_server=authorization_url,
            client_id=application.client_id,
            client_secret=application.client_secret,
            public_url=f"{handler.scheme}://{handler.netloc}",
        ),
        notifier=NotifierSettings(
            allow_networks=_LOOPBACK,
            routes=(
                RouteSettings(name="demo", urls=(services.notified_url,), events=_TOLD, window_s=0),
            ),
        ),
        relay=RelaySettings(
            allow_networks=_LOOPBACK,
            endpoints=(msgspec.structs.replace(services.endpoint, types=_TOLD),),
        ),
        feed=msgspec.structs.replace(settings.feed, host="127.0.0.1", tokens=(reader,)),
    )
