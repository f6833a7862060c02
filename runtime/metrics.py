"""Metrics of a process: its own and those of Temporal's client and worker, at one Prometheus address."""

from collections.abc import Mapping, Sequence
from typing import Final

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings

_ANSWERS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0)
"""Seconds: of a request and its answer, up to the client's own limit."""

_LATENESS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)
"""Seconds: from what is on time to what is a day late."""

BUCKETS: Final[Mapping[str, Sequence[float]]] = {
    "perennial_charge_sent_lateness": _LATENESS,
    "perennial_charge_known_lateness": _LATENESS,
    "perennial_amazon_call_latency": _ANSWERS,
    "perennial_api_latency": _ANSWERS,
    "perennial_ipn_latency": _ANSWERS,
}
"""Of histograms of ours, which would else have the SDK's, made for milliseconds."""


def meter_of(client: Client) -> MetricMeter:
    """Of the process that a client belongs to."""
    runtime = client.service_client.config.runtime or Runtime.default()
    return runtime.metric_meter


def runtime_with_metrics(settings: Settings) -> Runtime:
    """Temporal's runtime for this process; serves `/metrics` at `metrics_address` when that is set.

    Made once a process, before its first client. What is counted on its `metric_meter` is served beside Temporal's own.

    Raises:
        StartupError: it cannot listen there.
    """
    address = settings.metrics_address
    if address is None:
        return Runtime.default()
    config = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=BUCKETS,
    )
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=config))
    except (RuntimeError, ValueError) as error:
        raise StartupError(f"{PREFIX}METRICS_ADDRESS: {address}: cannot listen there ({error})") from None
