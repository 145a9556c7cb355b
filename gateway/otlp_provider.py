"""Makes the tracer provider that exports over OTLP. Needs the extra `tracing`.

Which traces are kept, how much waits for the exporter, for how long it tries, and with which
headers: all of that is the SDK's, by its variables.
"""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

__all__ = ["set_provider"]

log: Any = structlog.get_logger(__name__)

_DISTRIBUTION: Final = "bitrix24-event-gateway"


def set_provider(service: str, instance: str) -> TracerProvider:
    """Set the process's tracer provider; whoever calls this shuts it down.

    Raises whatever the SDK raises for variables that it cannot use. Never twice in a process.
    """
    own = {
        "service.name": service,
        "service.instance.id": instance,
        "service.version": version(_DISTRIBUTION),
    }
    resource = Resource.create({**own, **OTELResourceDetector().detect().attributes})
    # At the end of the interpreter it would wait for half a minute for a collector that is away.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_TellingExporter()))
    trace.set_tracer_provider(provider)
    log.info("traces are exported", service=resource.attributes["service.name"])
    return provider


class _FirstComplaint(logging.Handler):
    """Keeps what a library complains of first, in place of the log.

    Of errors only their names: their texts have the whole address, in which some services want a
    key.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, unless there is one already."""
        given = record.args if isinstance(record.args, tuple) else ()
        shown = tuple(type(one).__name__ if isinstance(one, Exception) else one for one in given)
        self.said = self.said or (record.msg % shown if shown else record.msg)


class _TellingExporter(SpanExporter):
    """Exports, and tells once when that begins to fail and when it works again.

    The library itself has a line for every try. Only its thread calls this.
    """

    def __init__(self) -> None:
        self._exporter = OTLPSpanExporter()
        self._is_failing = False
        self._complaint = _FirstComplaint()
        library = logging.getLogger("opentelemetry.exporter")
        library.propagate = False
        library.addHandler(self._complaint)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans; what fails is lost, and raises nothing."""
        self._complaint.said = ""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - it shall be told as any other failure
            self._complaint.said = type(error).__name__
            result = SpanExportResult.FAILURE
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            log.warning("spans are not exported", lost=len(spans), error=self._complaint.said)
        elif self._is_failing and not is_failing:
            log.info("spans are exported again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        """Let go what is being tried."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return self._exporter.force_flush(timeout_millis)
