"""Defines the section `[http]`."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.sections.kinds import NotNegative, Port, Seconds, Section, local_url

__all__ = ["HttpSettings"]


class HttpSettings(Section, frozen=True, kw_only=True):
    """[http]: the public listener, which Bitrix24 posts to."""

    host: str = "127.0.0.1"
    """The address to listen on; `0.0.0.0` for all, when no proxy stands in front."""
    port: Port = 8080
    """The port to listen on."""
    path: Annotated[str, Meta(pattern=r"^/", description="a path, beginning with /")] = (
        "/bitrix24/events"
    )
    """Where deliveries are taken; part of the URL that a portal's administrator pastes."""
    install_path: Annotated[str, Meta(pattern=r"^/", description="a path, beginning with /")] = (
        "/bitrix24/install"
    )
    """Where portals open the installation page, if there is a `[bitrix24] client_id`."""
    max_body: Annotated[int, Meta(ge=1, le=1 << 20)] = 65536
    """The largest body in bytes; a larger one is answered 413. Real ones stay under 1 KiB, but what
    was said to a bot may take `262144`."""
    header_timeout_s: Seconds = 10.0
    """How many seconds a new connection may take until its first request's headers are there."""
    body_timeout_s: Seconds = 10.0
    """How many seconds a body may take after its headers."""
    keepalive_s: Seconds = 75.0
    """How many seconds a connection may be idle between requests."""
    max_connections: Annotated[int, Meta(ge=1)] = 1000
    """How many connections a process has at most; a further one takes the place of an idle one."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose `X-Forwarded-For` is believed, as `10.1.2.0/24`."""
    allow_mode: Literal["off", "dry_run", "enforce"] = "off"
    """Whether only allowed networks may deliver; `dry_run` tells who would be refused."""
    allow_networks: tuple[str, ...] = ()
    """Addresses and networks that may deliver, as `192.0.2.7` or `10.1.2.0/24`."""
    allow_source: Annotated[
        str, Meta(pattern=r"^(?!http://)", description="a file or an https:// URL")
    ] = ""
    """A file, or an `https://` URL, with more of them in JSON or text; read again when it changes.
    Bitrix24's own: `https://dl.bitrix24.com/webhook/app-world.json`."""
    allow_refresh_s: Annotated[float, Meta(ge=60)] = 300.0
    """How many seconds lie between two looks at a URL; Bitrix24 asks for 300 to 600."""
    alarm_per_minute: Annotated[int, Meta(ge=0)] = 3000
    """A portal that sends more events a minute is told of, and nothing else; 0 for never."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    """How many processes share the port."""
    fast_lane: bool = True
    """Whether usual deliveries go past most of aiohttp, at half of the cost; see docs/http.md."""
    grace_s: Seconds = 20.0
    """How many seconds a stopping receiver gives the requests under way."""
    last_requests_s: NotNegative = 0.5
    """For how many seconds at most a stopping receiver goes on answering on connections that are
    open, each answer saying that it was the last; half of `grace_s` at most. Behind a proxy that
    keeps connections: longer than these are idle between two requests."""

    @property
    def local_url(self) -> str:
        """Where a delivery is sent to from this machine."""
        return f"{local_url(self.host, self.port)}{self.path}"
