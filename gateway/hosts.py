"""Decides which names an internal listener answers to.

A page in a browser on this machine, or in its network, can make a name of its own point here, and
then read what is answered to it as its own (DNS rebinding). It cannot choose what its browser puts
into `Host`, so a listener that is meant for operators answers only to addresses, which nobody can
make point elsewhere, and to names that it knows.
"""

from collections.abc import Collection
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

__all__ = ["is_known", "only_known_hosts"]


def is_known(host: str | None, names: Collection[str]) -> bool:
    """Whether a request's `Host` is an address, `localhost`, or one of the names.

    None, as in HTTP/1.0, comes from no browser.
    """
    if host is None:
        return True
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    name = name.removesuffix(".")
    if name == "localhost" or name in {known.lower() for known in names}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def only_known_hosts(names: Collection[str]) -> Middleware:
    """A middleware that answers 421 to a request for any other host."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_known(request.headers.get("Host"), names):
            return web.Response(status=421, text="unknown host: see [admin] hosts")
        return await handler(request)

    return middleware
