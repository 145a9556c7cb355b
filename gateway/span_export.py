"""Exports the spans of a process where OTEL_EXPORTER_OTLP_ENDPOINT says, while it runs.

The variables are those of OpenTelemetry, and all but the ones that turn it on are read by its SDK:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
Nothing about traces stops a process: what is missing or wrong is told, and it works without.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.spans import is_traced

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["exporting", "is_wanted"]

log: Any = structlog.get_logger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"
_MOST_S: Final = 2.0
# How long a stop waits for a collector, which answers in some milliseconds if it answers.


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether these variables say where spans go to, and nothing that turns traces off."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    return _first(environment, _ENDPOINTS) != "" and exporter == "otlp" and not is_off


@asynccontextmanager
async def exporting(service: str, *, instance: str, grace_s: float) -> AsyncIterator[None]:
    """Export the spans that are made within, if the environment says where to.

    `service` and `instance` are what the process is called, unless the environment gives it another
    name. To be entered before whatever makes spans is made. At the end the last spans are sent, for
    a quarter of `grace_s` at most. Does nothing where a tracer provider is set already, by a
    service.
    """
    provider = None if is_traced() else _provider(service, instance)
    try:
        yield
    finally:
        if provider is not None:
            await _shut_down(provider, within_s=min(_MOST_S, grace_s / 4))


def _provider(service: str, instance: str) -> "TracerProvider | None":
    """The provider, set for the process; None, and a word in the log, if there can be none."""
    if not is_wanted(os.environ):
        return None
    protocol = _first(os.environ, _PROTOCOLS) or _SPOKEN
    if protocol != _SPOKEN:
        log.warning("no traces", reason=f"the protocol is {protocol}, and only {_SPOKEN} is spoken")
        return None
    try:
        # The SDK is an extra, and takes a quarter of a second that nobody pays without traces.
        from gateway.otlp_provider import set_provider  # noqa: PLC0415
    except ImportError as error:
        what_to_do = "install bitrix24-event-gateway[tracing]"
        log.warning("no traces", reason=f"no module {error.name}", what_to_do=what_to_do)
        return None
    try:
        return set_provider(service, instance)
    except Exception as error:  # noqa: BLE001 - of a variable that the SDK cannot use, whatever it is
        log.warning("no traces", reason=f"{type(error).__name__}: {error}")
        return None


async def _shut_down(provider: "TracerProvider", *, within_s: float) -> None:
    """Send what waits, and end; on a thread that nobody waits for longer than this."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not done.done():
            done.set_result(None)

    def shut_down() -> None:
        try:
            provider.shutdown()
        finally:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell)

    threading.Thread(target=shut_down, name="last spans", daemon=True).start()
    try:
        async with asyncio.timeout(within_s):
            await done
    except TimeoutError:
        log.warning("the last spans were not exported", waited_s=round(within_s, 3))


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    """What the first of these variables says that says anything."""
    said = (environment.get(name, "").strip() for name in names)
    return next((text for text in said if text), "")
