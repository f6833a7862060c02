"""Metrics of a process: its own and those of Temporal's client and worker, at one Prometheus address."""

from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings


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
        bind_address=address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=config))
    except (RuntimeError, ValueError) as error:
        raise StartupError(f"{PREFIX}METRICS_ADDRESS: {address}: cannot listen there ({error})") from None
