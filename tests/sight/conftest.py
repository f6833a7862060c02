"""One watched deployment for all tests here: of what they cost, to set it up is the most."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from perennial_billing.runtime import tracing
from tests.endpoint import SECRET
from tests.sight.house import Watched, watched

NOBODY = "http://127.0.0.1:9/"
"""An endpoint that is down."""


@pytest.fixture(scope="session")
def spans() -> Iterator[InMemorySpanExporter]:
    """All that were made."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.trace_by(provider)
    yield exporter
    tracing.trace_by(None)


@pytest_asyncio.fixture(scope="session")
async def house(spans: InMemorySpanExporter) -> AsyncIterator[Watched]:
    """A deployment whose endpoint for notices is down."""
    async with watched(tracing.interceptors(), webhook_url=NOBODY, webhook_secret=SECRET) as set_up:
        yield set_up
