"""Reads a list of senders from where an administrator says: a file, or an https URL."""

from pathlib import Path
from typing import Final

import aiohttp

from gateway.errors import GatewayError

__all__ = ["SourceUnavailable", "fetch", "is_url", "read"]

_TIMEOUT_S: Final = 15.0
_MAX_BYTES: Final = 1 << 20


class SourceUnavailable(GatewayError):
    """The list cannot be read now; what was read before goes on."""


def is_url(source: str) -> bool:
    """Whether a source is fetched, rather than read from the disk."""
    return source.startswith("https://")


def read(path: Path) -> bytes:
    """The content of a file; raises SourceUnavailable."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror}") from error
    _refuse_large(len(content))
    return content


async def fetch(url: str) -> bytes:
    """The content of a URL; raises SourceUnavailable.

    A redirect counts as a failure: nobody but the administrator says where the list comes from.
    """
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise SourceUnavailable(f"{url}: status {response.status}")
            content = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                content += chunk
                _refuse_large(len(content))
            return bytes(content)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SourceUnavailable(f"{url}: {error!r}") from error


def _refuse_large(size: int) -> None:
    if size > _MAX_BYTES:
        raise SourceUnavailable(f"more than {_MAX_BYTES} bytes")
