"""Traces by OpenTelemetry: from a request or a notification, through the workflow, to what Amazon answered.

On where `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) is set; the other standard variables
count as they do everywhere. Off, nothing of OpenTelemetry is imported and nothing is carried. The packages are those of
`perennial-billing[otel]`.

How a workflow hands a trace on stands in `runtime.carrying`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from temporalio.client import Interceptor

from perennial_billing.runtime.errors import StartupError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

VARIABLES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Either of them turns traces on (OpenTelemetry, "OTLP exporter configuration")."""

NAME: Final = "perennial"

Attributes = Mapping[str, str | int | bool]


class _On:
    """What is there while traces are made."""

    tracer: Tracer | None = None


def begin_tracing(service: str) -> None:
    """Makes traces from now on, where the environment says so; once a process, before its first client.

    Args:
        service: the process's name, such as `perennial-worker`, where `OTEL_SERVICE_NAME` gives none.

    Raises:
        StartupError: the packages are missing.
    """
    if any(os.environ.get(each) for each in VARIABLES) and _On.tracer is None:
        trace_by(exporting(service))


def exporting(service: str) -> TracerProvider:
    """Sends spans by OTLP to where the environment says, in batches, and the rest when the process ends.

    Args:
        service: as of `begin_tracing`.

    Raises:
        StartupError: the packages are missing.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        why = f"is set, and the package {error.name} is missing"
        raise StartupError(f"{VARIABLES[0]}: {why}; install perennial-billing[otel], or unset it") from None
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", service)}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def trace_by(provider: TracerProvider | None) -> None:
    """Makes traces by a provider from now on; none where it is None."""
    _On.tracer = provider.get_tracer(NAME) if provider is not None else None


def interceptors() -> Sequence[Interceptor]:
    """What a client is connected with so that its calls, and the workers that use it, carry traces; none while off."""
    if _On.tracer is None:
        return ()
    from perennial_billing.runtime.carrying import Carrying

    return (Carrying(add_temporal_spans=False),)


@contextmanager
def span(name: str, attributes: Attributes | None = None, headers: Mapping[str, str] | None = None) -> Iterator[Told]:
    """A span around what is done while the context is open; does nothing while traces are off.

    Args:
        name: of few different ones.
        attributes: what is known of it; nothing secret or personal.
        headers: of a request that came in, which may name the trace that it belongs to.
    """
    tracer = _On.tracer
    if tracer is None:
        yield _NOTHING
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    context = extract(headers) if headers is not None else None
    kind = SpanKind.SERVER if headers is not None else SpanKind.INTERNAL
    with tracer.start_as_current_span(name, context=context, kind=kind, attributes=dict(attributes or {})) as made:
        yield made


def add_span(name: str, seconds: float, attributes: Attributes, *, failed: bool) -> None:
    """A span of what has just ended, below the current one; nothing while traces are off."""
    tracer = _On.tracer
    if tracer is None:
        return
    from opentelemetry.trace import SpanKind, StatusCode

    now = time.time_ns()
    made: Span = tracer.start_span(
        name, kind=SpanKind.CLIENT, attributes=dict(attributes), start_time=now - int(seconds * 1e9)
    )
    if failed:
        made.set_status(StatusCode.ERROR)
    made.end(now)


class Told(Protocol):
    """A span, as far as it is used here."""

    def set_attribute(self, key: str, value: str | int | bool) -> None:  # noqa: FBT001 - OpenTelemetry's
        """Adds what is known now."""
        ...


class _Nothing:
    def set_attribute(self, key: str, value: str | int | bool) -> None:  # noqa: FBT001 - as above
        """Nobody is told."""


_NOTHING: Final = _Nothing()
