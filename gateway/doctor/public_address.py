"""Tries the address under which portals reach this gateway, as a portal would."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from gateway.doctor.finding import Finding, note, red, warning, well
from gateway.settings import Settings

__all__ = ["judge_certificate", "look_at_public_address"]

_CHECK: Final = "public address"
_TIMEOUT_S: Final = 5.0
_WARNING_DAYS: Final = 14.0
_RED_DAYS: Final = 3.0
_READY: Final = 200
_HTTPS_PORT: Final = 443
_REDIRECTS: Final = range(300, 400)


async def look_at_public_address(settings: Settings) -> list[Finding]:
    """Whether `[bitrix24] public_url` leads here, with a certificate that lasts; posts nothing."""
    url = settings.handler_url
    if not url:
        return [note(_CHECK, "[bitrix24] public_url is empty, so it is not tried")]
    context = ssl.create_default_context()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            certificate = await _certificate_of(url, context)
            async with (
                aiohttp.ClientSession() as session,
                session.get(url, allow_redirects=False, ssl=context) as response,
            ):
                found = list(_answer(url, response.status, (await response.text())[:64]))
    except ssl.SSLCertVerificationError as error:
        return [
            red(_CHECK, f"the certificate of {url} is refused: {error.verify_message}", "mend it")
        ]
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return [
            red(
                _CHECK,
                f"{url} does not answer from here ({type(error).__name__})",
                "see the proxy, its name in DNS and the firewall; if just this machine cannot "
                "reach it from inside, try from outside",
            )
        ]
    found += judge_certificate(url, certificate, now=time.time())
    return found or [well(_CHECK, f"{url} leads here")]


def judge_certificate(url: str, certificate: Any, *, now: float) -> Iterator[Finding]:
    """Whether a certificate (as `ssl.SSLSocket.getpeercert` gives it) ends soon."""
    if not certificate or "notAfter" not in certificate:
        return
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - now) / 86_400
    if days < _WARNING_DAYS:
        make = red if days < _RED_DAYS else warning
        yield make(
            _CHECK,
            f"the certificate of {url} ends in {days:.0f} days: portals deliver nothing then",
            "renew it; see why that did not happen by itself",
        )


def _answer(url: str, status: int, text: str) -> Iterator[Finding]:
    if status in _REDIRECTS:
        yield red(
            _CHECK,
            f"{url} answers with a redirect ({status}), which a portal's POST does not survive",
            "let [bitrix24] public_url be the address that it leads to, or take the redirect out",
        )
    elif status != _READY or text.strip() != "ready":
        yield red(
            _CHECK,
            f"{url} is not answered by this gateway ({status})",
            "see where the proxy leads to, and [http] path",
        )


async def _certificate_of(url: str, context: ssl.SSLContext) -> Any:
    """The certificate of a server; None without TLS. Raises OSError.

    By a connection of its own, since aiohttp's is gone when a short answer has been read.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        return None
    port = parts.port or _HTTPS_PORT
    _reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    try:
        return writer.get_extra_info("peercert")
    finally:
        writer.close()
