"""What is counted of requests. Names and labels are an interface; docs/operations/monitoring.md has them."""

from datetime import timedelta
from typing import Final

from temporalio.common import MetricMeter

UNKNOWN: Final = "unknown"
"""Stands for every address that is none of ours: what others ask for must not make new time series."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ApiMetrics:
    """Counters of the API.

    Args:
        meter: of this process; counts nowhere when there is none.
    """

    def __init__(self, meter: MetricMeter) -> None:
        self._requests = meter.create_counter("perennial_api_requests", "Requests, by method, route and status.")
        self._latency = meter.create_histogram_timedelta(
            "perennial_api_latency", "From a request to the end of its answer."
        )

    def answered(self, method: str, route: str | None, status: int | None, seconds: float) -> None:
        """A request is over.

        Args:
            method: as it was sent.
            route: its form, such as `/v1/subscriptions/{charge_permission_id}`; None where it is none of ours.
            status: what was answered; None where nothing was.
            seconds: how long it took.
        """
        known = {"method": method if method in _METHODS else UNKNOWN, "route": route or UNKNOWN}
        self._requests.add(1, {**known, "status": str(status) if status is not None else "none"})
        self._latency.record(timedelta(seconds=seconds), known)
