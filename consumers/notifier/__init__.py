"""Tells people about changes in portals where they already are: through Apprise, and in Bitrix24.

The handler puts each event into an outbox for every target (handling.py, outbox.py); a sender for
each target delivers what is due (sender.py). So a target that is dead delays nobody, and gathering
windows, digests, quiet hours and caps are only decisions on when something is due (send_plan.py).
"""

from consumers import Consumer, Entry, Event
from gateway.settings import Settings

__all__ = ["build"]


def build(settings: Settings) -> Consumer:
    """The notifier; raises OperatorError naming every route and key that cannot work."""
    # Apprise and Jinja2 are imported by those who run it, not by those who ask for its name, and
    # only where there is somebody to tell.
    if settings.notifier.routes:
        from consumers.notifier.notice_handler import Notifier  # noqa: PLC0415
        from consumers.notifier.portal_domains import Domains  # noqa: PLC0415
        from consumers.notifier.routes import routes_of  # noqa: PLC0415

        domains = Domains.of(settings)
        notifier = Notifier(settings, routes_of(settings, domains), domains=domains)
        lifespan, handle = notifier.lifespan, notifier.handle
    else:
        from consumers.notifier.without_routes import pass_over, telling_nobody  # noqa: PLC0415

        lifespan, handle = telling_nobody, pass_over
    app = Consumer(
        group="notifier",
        stream=settings.notifier.stream,
        start="now",
        has_effects_in_redis=True,  # the outboxes
        lifespan=lifespan,
    )

    @app.on("bitrix24.*")
    @app.on("gateway.alert.*")
    async def notify(event: Event, entry: Entry) -> None:
        await handle(event, entry)

    return app
