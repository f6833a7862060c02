"""Which operation a request is for: method and path, as the SDKs differ in how they write it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from amazon_pay_client.models import (
    ChargeState,
    CloseChargePermissionRequest,
    CreateChargeRequest,
    CreateReportRequest,
    CreateReportScheduleRequest,
)
from amazon_pay_client.models.charge_permissions import UpdateChargePermissionRequest
from amazon_pay_client.models.charges import CancelChargeRequest, CaptureChargeRequest, UpdateChargeRequest
from amazon_pay_client.models.checkout_sessions import (
    CheckoutSession,
    CreateCheckoutSessionRequest,
    FinalizeCheckoutSessionRequest,
    UpdateCheckoutSessionRequest,
)
from amazon_pay_client.models.disputes import (
    ContestDisputeRequest,
    CreateDisputeRequest,
    UpdateDisputeRequest,
    UploadFileRequest,
)
from amazon_pay_client.models.query import QueryModel
from amazon_pay_client.models.refunds import CreateRefundRequest
from amazon_pay_client.models.reports import ReportSchedulesQuery, ReportsQuery
from amazon_pay_client.models.wire import RequestModel, WireModel
from amazon_pay_simulator.account import Account
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.operations.session_rules import CompleteRequest
from amazon_pay_simulator.refusals import Refusal

PATH_PREFIXES: Final = ("/v2/", "/sandbox/v2/", "/live/v2/")
"""Key ids with an environment prefix use the first; others name the environment in the path."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request, read.

    Attributes:
        ids: the ids in the path.
        request: the body, or the query of a list; Any, as each operation knows its own kind.
        now: when it happens (UTC).
        release_environment: the world that it is for.
        simulate: the simulation code.
        scripted: how a Create Charge is answered.
    """

    ids: Sequence[str]
    request: Any
    now: datetime
    release_environment: str
    simulate: str | None
    scripted: ScriptedAnswer


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Attributes:
        name: by Amazon's documentation.
        method: of HTTP.
        path: its segments; None stands for an id.
        perform: does it.
        body: the kind of request; None where there is no body.
        status: of a success; a function where it depends on the answer.
        needs_key: whether an idempotency key is required.
        takes_key: whether one is honoured.
        query: the kind of filters of a list; None where there are none.
    """

    name: str
    method: str
    path: tuple[str | None, ...]
    perform: Callable[[Account, Call], WireModel]
    body: type[RequestModel] | None = None
    status: int | Callable[[Account, WireModel], int] = 200
    needs_key: bool = False
    takes_key: bool = False
    query: type[QueryModel] | None = None

    def status_of(self, account: Account, answer: WireModel) -> int:
        """The status of a successful answer."""
        return self.status if isinstance(self.status, int) else self.status(account, answer)


def _status_of_completed(account: Account, answer: WireModel) -> int:
    """200, or 202 while Amazon has not decided on the session's charge."""
    charge_id = answer.charge_id if isinstance(answer, CheckoutSession) else None
    pending = charge_id is not None and account.charges.read(charge_id).status_details.state == _UNDECIDED
    return 202 if pending else 200


_UNDECIDED: Final = ChargeState.AUTHORIZATION_INITIATED

OPERATIONS: Final[Sequence[Operation]] = (
    Operation("GetBuyer", "GET", ("buyers", None), lambda account, call: account.books.buyer(call.ids[0])),
    Operation(
        "CreateCheckoutSession",
        "POST",
        ("checkoutSessions",),
        lambda account, call: account.sessions.create(call.request, call.now, call.release_environment),
        CreateCheckoutSessionRequest,
        status=201,
        needs_key=True,
    ),
    Operation(
        "GetCheckoutSession",
        "GET",
        ("checkoutSessions", None),
        lambda account, call: account.sessions.read(call.ids[0], call.now),
    ),
    Operation(
        "UpdateCheckoutSession",
        "PATCH",
        ("checkoutSessions", None),
        lambda account, call: account.sessions.update(call.ids[0], call.request, call.now),
        UpdateCheckoutSessionRequest,
    ),
    Operation(
        "CompleteCheckoutSession",
        "POST",
        ("checkoutSessions", None, "complete"),
        lambda account, call: account.sessions.complete(call.ids[0], call.request, call.now, call.simulate),
        CompleteRequest,
        status=_status_of_completed,
    ),
    Operation(
        "FinalizeCheckoutSession",
        "POST",
        ("checkoutSessions", None, "finalize"),
        lambda account, call: account.sessions.finalize(call.ids[0], call.request, call.now),
        FinalizeCheckoutSessionRequest,
        takes_key=True,
    ),
    Operation(
        "GetChargePermission",
        "GET",
        ("chargePermissions", None),
        lambda account, call: account.permissions.read(call.ids[0], call.now),
    ),
    Operation(
        "UpdateChargePermission",
        "PATCH",
        ("chargePermissions", None),
        lambda account, call: account.permissions.update(call.ids[0], call.request, call.now),
        UpdateChargePermissionRequest,
    ),
    Operation(
        "CloseChargePermission",
        "DELETE",
        ("chargePermissions", None, "close"),
        lambda account, call: account.close_permission(call.ids[0], call.request, call.now, call.simulate),
        CloseChargePermissionRequest,
    ),
    Operation(
        "CreateCharge",
        "POST",
        ("charges",),
        lambda account, call: account.charges.create(call.request, call.scripted, call.now),
        CreateChargeRequest,
        status=201,
        needs_key=True,
    ),
    Operation("GetCharge", "GET", ("charges", None), lambda account, call: account.charges.read(call.ids[0])),
    Operation(
        "UpdateCharge",
        "PATCH",
        ("charges", None),
        lambda account, call: account.charges.update(call.ids[0], call.request, call.now),
        UpdateChargeRequest,
    ),
    Operation(
        "CaptureCharge",
        "POST",
        ("charges", None, "capture"),
        lambda account, call: account.charges.capture(call.ids[0], call.request, call.now, call.simulate),
        CaptureChargeRequest,
        needs_key=True,
    ),
    Operation(
        "CancelCharge",
        "DELETE",
        ("charges", None, "cancel"),
        lambda account, call: account.charges.cancel(call.ids[0], call.request, call.now, call.simulate),
        CancelChargeRequest,
    ),
    Operation(
        "CreateRefund",
        "POST",
        ("refunds",),
        lambda account, call: account.refunds.create(call.request, call.now, call.simulate),
        CreateRefundRequest,
        status=201,
        needs_key=True,
    ),
    Operation("GetRefund", "GET", ("refunds", None), lambda account, call: account.refunds.read(call.ids[0])),
    Operation(
        "CreateDispute",
        "POST",
        ("disputes",),
        lambda account, call: account.disputes.create(call.request, call.now),
        CreateDisputeRequest,
        status=201,
        takes_key=True,
    ),
    Operation("GetDispute", "GET", ("disputes", None), lambda account, call: account.disputes.read(call.ids[0])),
    Operation(
        "UpdateDispute",
        "PATCH",
        ("disputes", None),
        lambda account, call: account.disputes.update(call.ids[0], call.request, call.now),
        UpdateDisputeRequest,
    ),
    Operation(
        "ContestDispute",
        "POST",
        ("disputes", None, "contest"),
        lambda account, call: account.disputes.contest(call.ids[0], call.request, call.now),
        ContestDisputeRequest,
        takes_key=True,
    ),
    Operation(
        "UploadFile",
        "POST",
        ("files",),
        lambda account, call: account.disputes.upload_file(call.request),
        UploadFileRequest,
        status=201,
        takes_key=True,
    ),
    Operation(
        "GetReports",
        "GET",
        ("reports",),
        lambda account, call: account.reports.page(call.request, call.now, call.release_environment),
        query=ReportsQuery,
    ),
    Operation(
        "GetReportById",
        "GET",
        ("reports", None),
        lambda account, call: account.reports.read(call.ids[0], call.now),
    ),
    Operation(
        "CreateReport",
        "POST",
        ("reports",),
        lambda account, call: account.reports.create(call.request, call.now, call.release_environment),
        CreateReportRequest,
        status=201,
        takes_key=True,
    ),
    Operation(
        "GetReportDocument",
        "GET",
        ("report-documents", None),
        lambda account, call: account.reports.read_document(call.ids[0], call.now),
    ),
    Operation(
        "GetReportSchedules",
        "GET",
        ("report-schedules",),
        lambda account, call: account.reports.list_schedules(call.request, call.now, call.release_environment),
        query=ReportSchedulesQuery,
    ),
    Operation(
        "GetReportScheduleById",
        "GET",
        ("report-schedules", None),
        lambda account, call: account.reports.read_schedule(call.ids[0], call.now),
    ),
    Operation(
        "CreateReportSchedule",
        "POST",
        ("report-schedules",),
        lambda account, call: account.reports.create_schedule(call.request, call.now, call.release_environment),
        CreateReportScheduleRequest,
        status=201,
        takes_key=True,
    ),
    Operation(
        "CancelReportSchedule",
        "DELETE",
        ("report-schedules", None),
        lambda account, call: account.reports.cancel_schedule(call.ids[0], call.now),
    ),
)

_BY_SHAPE: Final[Mapping[tuple[str, int, str | None], Mapping[str, Operation]]] = {
    shape: {op.method: op for op in OPERATIONS if (op.path[0], len(op.path), op.path[-1]) == shape}
    for shape in {(str(op.path[0]), len(op.path), op.path[-1]) for op in OPERATIONS}
}


def find_operation(method: str, path: str) -> tuple[Operation, list[str]]:
    """The operation of a request, with or without a slash at the end, and the ids in its path.

    Raises:
        Refusal: ResourceNotFound or UnsupportedOperation.
    """
    prefix = next(prefix for prefix in PATH_PREFIXES if path.startswith(prefix))
    segments = path.removeprefix(prefix).removesuffix("/").split("/")
    of_object = len(segments) == 2  # noqa: PLR2004 - a collection and an id
    methods = _BY_SHAPE.get((segments[0], len(segments), None if of_object else segments[-1]))
    if methods is None:
        raise Refusal("ResourceNotFound", f"There is nothing at {path}")
    operation = methods.get(method)
    if operation is None:
        raise Refusal("UnsupportedOperation", f"{method} is not supported for {path}")
    return operation, [segment for segment, name in zip(segments, operation.path, strict=True) if name is None]
