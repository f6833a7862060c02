"""No answer that tells the outcome is lost over a field that decides nothing, whatever form that field has tomorrow.

What decides is written down here by hand, so that a field that somebody makes obligatory in a model is noticed.
"""

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amazon_pay_client import AmazonPayClient, CompletedCheckout
from amazon_pay_client.answers import model_of
from amazon_pay_client.errors import IncompleteAnswerError
from amazon_pay_client.models import (
    AuthorizationToken,
    Buyer,
    Charge,
    ChargePermission,
    CheckoutSession,
    CreatedReport,
    CreatedReportSchedule,
    DeliveryTracker,
    DisbursementsPage,
    Dispute,
    InStoreCharge,
    InStoreRefund,
    MerchantAccount,
    MerchantScan,
    Refund,
    Report,
    ReportDocument,
    ReportSchedule,
    ReportScheduleList,
    ReportsPage,
    Store,
    UploadedFile,
    WireModel,
)
from amazon_pay_client.outbound.library import httpx
from tests.client import answers
from tests.client.examples import CHARGE, PERMISSION
from tests.client.loopback import Loopback
from tests.client.mutations import Json, Mutation, Path, mutations_of, says_something, value_at
from tests.client.operations import OPERATIONS, Operation

DECIDES: Final[dict[type[WireModel], Collection[str]]] = {
    AuthorizationToken: {"authorizationToken"},
    Buyer: (),
    Charge: {"chargeId", "statusDetails.state"},
    ChargePermission: {"chargePermissionId", "statusDetails.state"},
    CheckoutSession: {"checkoutSessionId", "statusDetails.state"},
    CreatedReport: {"reportId"},
    CreatedReportSchedule: {"reportScheduleId"},
    DeliveryTracker: (),
    DisbursementsPage: {"disbursements", "nextToken"},
    Dispute: {"disputeId", "statusDetails.state"},
    InStoreCharge: {"chargeId"},
    InStoreRefund: {"refundId"},
    MerchantAccount: {"merchantAccountId"},
    MerchantScan: {"chargePermissionId"},
    Refund: {"refundId", "statusDetails.state"},
    Report: {"reportId", "processingStatus"},
    ReportDocument: {"url"},
    ReportSchedule: {"reportScheduleId"},
    ReportScheduleList: {"reportSchedules"},
    ReportsPage: {"reports", "nextToken"},
    Store: {"storeId"},
    UploadedFile: {"fileId"},
}
"""Of each answer, what has to be there and has to be read: id and state, or what was asked for."""

AS_AMAZON_SENDS_NULLS: Final[Json] = PERMISSION | {
    "amazonPayToken": "000000000000AMZN",
    "chargePermissionType": "PaymentMethodOnFile",
    "paymentPreferences": [{"paymentDescriptor": None}, None],
    "paymentMethodOnFileMetadata": {"setupOnly": True},
    "limits": {"amountLimit": None, "amountBalance": None},
    "recurringMetadata": {"frequency": None, "amount": None},
    "presentmentCurrency": "USD",
}
"""A saved wallet as the official .NET SDK's tests have it."""

ANSWERED: Final = [operation for operation in OPERATIONS if operation.answer and operation.status != 303]
"""Every operation of which the body is read."""
ANSWERS: Final[list[tuple[type[WireModel], Json]]] = [
    (AuthorizationToken, answers.TOKEN),
    (Buyer, answers.BUYER),
    (Charge, CHARGE),
    (Charge, CHARGE | {"convertedAmount": "12.34", "conversionRate": "1.0837"}),
    (ChargePermission, PERMISSION),
    (ChargePermission, AS_AMAZON_SENDS_NULLS),
    (CheckoutSession, answers.SESSION),
    (CreatedReport, answers.CREATED_REPORT),
    (CreatedReportSchedule, answers.CREATED_SCHEDULE),
    (DeliveryTracker, answers.TRACKER),
    (DisbursementsPage, answers.DISBURSEMENTS),
    (Dispute, answers.DISPUTE),
    (InStoreCharge, answers.IN_STORE_CHARGE),
    (InStoreRefund, answers.IN_STORE_REFUND),
    (MerchantAccount, answers.ACCOUNT),
    (MerchantScan, answers.SCAN),
    (Refund, answers.REFUND),
    (Report, answers.REPORT),
    (ReportDocument, answers.REPORT_DOCUMENT),
    (ReportSchedule, answers.SCHEDULE),
    (ReportScheduleList, answers.SCHEDULES),
    (ReportsPage, answers.REPORTS),
    (Store, answers.STORE),
    (UploadedFile, answers.UPLOADED_FILE),
]


def decides(model: type[WireModel], path: Path) -> bool:
    """Whether a change there may change what the answer says of the outcome: at the field itself, or around it."""
    place = ".".join(map(str, path))
    return any(field == place or field.startswith(f"{place}.") for field in DECIDES[model])


def in_bytes(body: Json) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(body).encode())


def has_what_decides(read: WireModel) -> bool:
    """Whether each is there as a text that is not empty, or as a list. The last page of a list names no next one."""
    written = json.loads(read.to_json())
    fields = set(DECIDES[type(read)]) - {"nextToken"}
    found = {field: value_at(written, tuple(field.split("."))) for field in fields}
    return all(bool(value) and isinstance(value, str) for value in found.values() if not isinstance(value, list))


def read_or_missing(model: type[WireModel], body: Json) -> tuple[WireModel | None, Collection[str]]:
    try:
        return model_of(model)(in_bytes(body)), ()
    except IncompleteAnswerError as error:
        return None, error.missing


@cache
def harmless(name: str) -> Sequence[Mutation]:
    """Every mutation of an operation's answer that decides nothing."""
    operation = next(operation for operation in ANSWERED if operation.name == name)
    model = next(kind for kind, answer in ANSWERS if answer == operation.answer)
    return [each for each in mutations_of(operation.answer, model) if not decides(model, each.path)]


def check_outcome(read: WireModel, body: Json, mutations: Collection[Mutation]) -> None:
    """What decides is as it came, and nothing that came is gone."""
    written = json.loads(read.to_json())
    for field in DECIDES[type(read)]:
        before, after = (value_at(answer, tuple(field.split("."))) for answer in (body, written))
        assert isinstance(before, list) or after == before or before is None
    for mutation in mutations:
        if says_something(value_at(body, mutation.path)):
            assert says_something(value_at(written, mutation.path)), f"{mutation} is gone"


@pytest.mark.parametrize("operation", ANSWERED, ids=str)
async def test_what_decides_is_written_down_for_the_answer_of_every_operation(
    operation: Operation, client: AmazonPayClient, server: Loopback
) -> None:
    server.answers(operation.answer, operation.status)

    result = await operation.call(client)

    model = type(result.session if isinstance(result, CompletedCheckout) else result)
    assert (model, operation.answer) in ANSWERS
    assert model in DECIDES


@pytest.mark.parametrize(("model", "answer"), ANSWERS, ids=lambda value: getattr(value, "__name__", ""))
def test_no_change_of_one_field_loses_the_outcome_or_what_came(model: type[WireModel], answer: Json) -> None:
    for mutation in mutations_of(answer, model):
        if not decides(model, mutation.path):
            body = mutation.applied_to(answer)
            check_outcome(model_of(model)(in_bytes(body)), body, [mutation])


@pytest.mark.parametrize(("model", "answer"), ANSWERS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_field_that_decides_is_read_or_named_and_nothing_else_is_named(model: type[WireModel], answer: Json) -> None:
    for mutation in mutations_of(answer, model):
        if decides(model, mutation.path):
            read, missing = read_or_missing(model, mutation.applied_to(answer))
            place = ".".join(map(str, mutation.path))
            assert has_what_decides(read) if read else {name.startswith(place) for name in missing} == {True}, mutation


@pytest.mark.parametrize("operation", ANSWERED, ids=str)
@given(data=st.data())
@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_no_change_of_several_fields_loses_the_outcome_of_any_operation(
    operation: Operation, client: AmazonPayClient, server: Loopback, data: st.DataObject
) -> None:
    changes = harmless(operation.name)
    chosen = data.draw(st.lists(st.sampled_from(changes), min_size=2, max_size=8)) if changes else []
    body: Json = operation.answer
    for mutation in chosen:
        body = mutation.applied_to(body)
    server.answers(body, operation.status)

    result = await operation.call(client)

    check_outcome(result.session if isinstance(result, CompletedCheckout) else result, body, chosen)
