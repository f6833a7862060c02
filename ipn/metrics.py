"""What is counted of Amazon's notifications. Names and labels are an interface; docs/operations/network.md has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import perf_counter
from typing import Final

from temporalio.common import MetricMeter

from amazon_pay_client.ipn import EnvelopeType, Notification, ObjectType

OTHER: Final = "other"
"""Stands for every object type that we do not know: what others send must not make new time series."""


class IpnMetrics:
    """Counters of the receiver.

    Args:
        meter: of this process; counts nowhere when there is none.
    """

    def __init__(self, meter: MetricMeter) -> None:
        self._received = meter.create_counter("perennial_ipn_received", "Messages posted to the receiver.")
        self._proven = meter.create_counter("perennial_ipn_proven", "Messages that Amazon signed, by type.")
        self._refused = meter.create_counter("perennial_ipn_refused", "Messages not believed, by cause.")
        self._signalled = meter.create_counter(
            "perennial_ipn_signalled", "Notifications handed to a workflow, by object type."
        )
        self._dropped = meter.create_counter(
            "perennial_ipn_dropped", "Notifications that no workflow had to be told of, by reason and object type."
        )
        self._deferred = meter.create_counter(
            "perennial_ipn_deferred", "Messages answered with 503, to be sent again, by cause."
        )
        self._latency = meter.create_histogram_timedelta(
            "perennial_ipn_latency", "From a message's last byte to its answer."
        )

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Counts a message and the time until it is answered."""
        self._received.add(1)
        began = perf_counter()
        try:
            yield
        finally:
            self._latency.record(timedelta(seconds=perf_counter() - began))

    def proven(self, kind: EnvelopeType) -> None:
        """A message's signature held."""
        self._proven.add(1, {"type": kind.value})

    def refused(self, cause: str) -> None:
        """A message was not believed; `cause` is one of a few words."""
        self._refused.add(1, {"cause": cause})

    def signalled(self, notification: Notification) -> None:
        """A workflow has it."""
        self._signalled.add(1, {"object_type": _object_type(notification)})

    def dropped(self, notification: Notification, reason: str) -> None:
        """No workflow had to be told."""
        self._dropped.add(1, {"object_type": _object_type(notification), "reason": reason})

    def deferred(self, cause: str) -> None:
        """It could not be taken now."""
        self._deferred.add(1, {"cause": cause})


def _object_type(notification: Notification) -> str:
    known = isinstance(notification.object_type, ObjectType)
    return str(notification.object_type) if known else OTHER
