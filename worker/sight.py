"""What is seen of each activity: what its log lines are about, the calls to Amazon that are counted, and its trace.

Around all activities of a worker, so that they need not know of it. What a line is about is taken from what Temporal
says of the activity and from its input; of that only ids and numbers, nothing of a buyer's.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import structlog
from pydantic import BaseModel
from temporalio import activity
from temporalio.common import MetricMeter
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from amazon_pay_client.exchanges import Exchange, watching
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.billing.keys import attempt_of_key
from perennial_billing.runtime import tracing
from perennial_billing.worker.accounts import CALLS
from perennial_billing.workflows.names import Call, charge_permission_of

CALLED: Final = "perennial_amazon_calls"
TOOK: Final = "perennial_amazon_call_latency"

_OPERATIONS: Final[Mapping[tuple[str, str], Call]] = MappingProxyType(
    {
        ("POST", "charges"): Call.CREATE_CHARGE,
        ("GET", "charges/{charge_id}"): Call.GET_CHARGE,
        ("POST", "charges/{charge_id}/capture"): Call.CAPTURE_CHARGE,
        ("POST", "refunds"): Call.CREATE_REFUND,
        ("GET", "refunds/{refund_id}"): Call.GET_REFUND,
        ("GET", "disputes/{dispute_id}"): Call.GET_DISPUTE,
        ("GET", "chargePermissions/{charge_permission_id}"): Call.GET_CHARGE_PERMISSION,
        ("PATCH", "chargePermissions/{charge_permission_id}"): Call.UPDATE_CHARGE_PERMISSION,
        ("DELETE", "chargePermissions/{charge_permission_id}/close"): Call.CLOSE_CHARGE_PERMISSION,
    }
)
_OTHER: Final = "other"

_THROTTLED: Final = 429
_FIRST_REFUSAL: Final = 400
_FIRST_FAILURE: Final = 500

_SAID: Final = (
    "charge_permission_id",
    "period",
    "charge_id",
    "refund_id",
    "dispute_id",
    "merchant_account",
    "delivery",
    "endpoint",
)
"""Of an input, what a line is about."""


class Sight(Interceptor):
    """Of one worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Around each activity."""
        return _Seen(next)


class _Seen(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - as above; Any: its result
        info = activity.info()
        about = about_of(info, input.args)
        account = str(about.get("merchant_account", DEFAULT_ACCOUNT))
        # For as long as the activity's own task: what the SDK logs at its end is about it as well.
        structlog.contextvars.bind_contextvars(**about)
        with tracing.span(info.activity_type, about), watching(_Watched(account, activity.metric_meter())):
            return await super().execute_activity(input)


def about_of(info: activity.Info, arguments: object) -> dict[str, str | int]:
    """What the lines of an activity are about.

    Args:
        info: what Temporal says of it.
        arguments: its input.
    """
    about: dict[str, str | int] = {"activity": info.activity_type, "try": info.attempt}
    if info.workflow_id is not None:
        about["workflow_id"] = info.workflow_id
        if (permission := charge_permission_of(info.workflow_id)) is not None:
            about["charge_permission_id"] = permission
    if info.activity_type in CALLS:
        about["merchant_account"] = info.priority.fairness_key or DEFAULT_ACCOUNT
    given = arguments[0] if isinstance(arguments, (list, tuple)) and arguments else None
    if isinstance(given, BaseModel):
        values = {name: getattr(given, name, None) for name in _SAID}
        about |= {name: value for name, value in values.items() if isinstance(value, (str, int))}
        attempt = attempt_of_key(str(getattr(given, "idempotency_key", "")))
        if attempt is not None:
            about["period"], about["attempt"] = attempt
    return about


class _Watched:
    """Is told of each request to Amazon that an activity makes."""

    def __init__(self, account: str, meter: MetricMeter) -> None:
        self._account = account
        self._meter = meter

    def __call__(self, exchange: Exchange) -> None:
        operation = operation_of(exchange)
        answer = answer_of(exchange.status)
        labels = {"operation": operation, "merchant_account": self._account}
        called = self._meter.create_counter(CALLED, "Requests to Amazon Pay, by what it answered.")
        called.add(1, {**labels, "answer": answer})
        took = self._meter.create_histogram_timedelta(TOOK, "From a request to Amazon Pay to its answer.")
        took.record(timedelta(seconds=exchange.seconds), {"operation": operation})
        about: dict[str, str | int] = {"http.request.method": exchange.method, "url.template": exchange.resource}
        if exchange.status is not None:
            about["http.response.status_code"] = exchange.status
        if exchange.request_id is not None:
            about["amazon_pay.request_id"] = exchange.request_id
            structlog.contextvars.bind_contextvars(amazon_request_id=exchange.request_id)
        tracing.add_span(f"Amazon Pay {operation}", exchange.seconds, about, failed=answer != "ok")


def operation_of(exchange: Exchange) -> str:
    """Amazon's name of what was called; one word for whatever subscriptions do not call."""
    found = _OPERATIONS.get((exchange.method, exchange.resource))
    return found.value if found is not None else _OTHER


def answer_of(status: int | None) -> str:
    """What was answered, in one of five words."""
    if status is None:
        return "none"
    if status == _THROTTLED:
        return "throttled"
    if status >= _FIRST_FAILURE:
        return "failed"
    return "refused" if status >= _FIRST_REFUSAL else "ok"
