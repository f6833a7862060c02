"""Requests that Amazon would refuse are refused here, with the field's name, and answers are read as they come."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from pydantic import ValidationError

from amazon_pay_client import models
from amazon_pay_client.models import (
    AddressWithId,
    CheckoutSession,
    CompleteCheckoutSessionRequest,
    CreateDeliveryTrackerRequest,
    CreateReportRequest,
    Currency,
    DeliveryDetail,
    Disbursement,
    DisbursementsPage,
    Dispute,
    InStoreChargeRequest,
    MerchantScanRequest,
    PaymentDetails,
    Price,
    ProcessingStatus,
    Report,
    ReportType,
    UpdateCheckoutSessionRequest,
    WireModel,
)
from tests.client.answers import DISBURSEMENTS, DISPUTE, REPORT, SESSION
from tests.client.operations import NEW_YEAR, NEXT_WEEK, TEN

NOTHING: Final = Price(amount=Decimal(0), currency_code=Currency.USD)
PARCEL: Final = DeliveryDetail(tracking_number="1Z999", carrier_code="UPS")


@pytest.mark.parametrize(
    ("model", "fields", "reason"),
    [
        (models.CaptureChargeRequest, {"capture_amount": NOTHING}, "capture_amount.*\n.*not more than zero"),
        (models.CreateRefundRequest, {"charge_id": "S", "refund_amount": NOTHING}, "refund_amount"),
        (models.CompleteCheckoutSessionRequest, {"charge_amount": NOTHING}, "charge_amount"),
        (models.Frequency, {"unit": "Month", "value": 1.5}, "value"),
        (models.CancelChargeRequest, {"cancellation_reason": "x" * 256}, "cancellation_reason"),
        (models.CancelChargeRequest, {"cancellation_reason": ""}, "cancellation_reason"),
        (models.ContestDisputeRequest, {"merchant_evidences": ()}, "merchant_evidences"),
        (models.UploadFileRequest, {"type": "exe"}, "type"),
        (models.ClaimMerchantAccountRequest, {"unique_reference_id": ""}, "unique_reference_id"),
        (
            CreateReportRequest,
            {"report_type": ReportType.REFUND, "start_time": NEXT_WEEK, "end_time": NEW_YEAR},
            "endTime: .* is before startTime",
        ),
        (CreateDeliveryTrackerRequest, {"delivery_details": (PARCEL,)}, "exactly one of the two"),
        (
            CreateDeliveryTrackerRequest,
            {"charge_permission_id": "S", "amazon_order_reference_id": "P", "delivery_details": (PARCEL,)},
            "exactly one of the two",
        ),
        (CreateDeliveryTrackerRequest, {"charge_permission_id": "S", "delivery_details": ()}, "delivery_details"),
        (DeliveryDetail, {"tracking_number": "", "carrier_code": "UPS"}, "tracking_number"),
        (
            InStoreChargeRequest,
            {"charge_permission_id": "S", "charge_reference_id": "", "charge_total": TEN},
            "charge_reference_id",
        ),
        (
            InStoreChargeRequest,
            {
                "charge_permission_id": "S",
                "charge_reference_id": "r",
                "charge_total": TEN,
                "soft_descriptor": "x" * 17,
            },
            "soft_descriptor",
        ),
    ],
)
def test_a_request_that_amazon_would_refuse_cannot_be_made(
    model: type[WireModel], fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        model.model_validate(fields)


def test_names_that_are_not_camel_case_stand_on_the_wire_as_amazon_writes_them() -> None:
    scan = MerchantScanRequest(scan_data="x", scan_reference_id="r", merchant_coe="US", ledger_currency=Currency.USD)
    store = models.CreateStoreRequest(allowed_redirect_urls=("https://example.com",))

    assert json.loads(scan.to_json())["merchantCOE"] == "US"
    assert json.loads(store.to_json()) == {"allowedRedirectURLs": ["https://example.com"]}


def test_a_listed_shipping_address_is_read_out_of_its_json_text() -> None:
    listed = json.dumps({"addressId": "a-1", "city": "Tokyo"})

    session = CheckoutSession.model_validate_json(json.dumps(SESSION | {"shippingAddressList": [listed]}))

    assert session.shipping_address_list == (AddressWithId(address_id="a-1", city="Tokyo"),)


def test_disputes_carry_unix_seconds_and_reports_compact_timestamps() -> None:
    dispute = Dispute.model_validate_json(json.dumps(DISPUTE))
    report = Report.model_validate_json(json.dumps(REPORT))

    assert dispute.filing_timestamp == NEW_YEAR
    assert report.created_time == datetime(2022, 11, 15, 8, tzinfo=UTC)


def test_a_report_of_a_new_kind_or_state_is_read() -> None:
    report = Report.model_validate_json(
        json.dumps(REPORT | {"reportType": "_NEW_", "processingStatus": "PAUSED", "startTime": "2022-11-14T07:45:50Z"})
    )

    assert (report.report_type, report.processing_status) == ("_NEW_", "PAUSED")
    assert ProcessingStatus(REPORT["processingStatus"]) is ProcessingStatus.COMPLETED


def test_a_disbursement_is_a_price_with_its_whereabouts() -> None:
    (answered,) = DISBURSEMENTS["disbursements"]

    read = Disbursement.model_validate_json(
        json.dumps(answered | {"amount": "-3.5", "transactionTime": "2022-12-07T17:08:26.717Z"})
    )

    assert (read.amount, read.currency_code) == (Decimal("-3.5"), Currency.USD)
    assert str(read.price and read.price.amount) == "-3.50"
    assert read.transaction_time == datetime(2022, 12, 7, 17, 8, 26, 717_000, tzinfo=UTC)


def test_a_disbursement_whose_amount_cannot_be_read_is_in_the_list_all_the_same() -> None:
    (answered,) = DISBURSEMENTS["disbursements"]
    body = {"disbursements": [answered | {"amount": {"value": "7"}}, answered], "nextToken": None}

    page = DisbursementsPage.from_answer(json.dumps(body))

    assert [disbursement.price and str(disbursement.price.amount) for disbursement in page.disbursements] == [
        None,
        "1000.50",
    ]
    assert page.unread == {"disbursements.0.amount": {"value": "7"}}


def test_a_wallet_that_is_only_set_up_is_completed_without_an_amount() -> None:
    assert CompleteCheckoutSessionRequest().to_json() == b"{}"


def test_a_field_that_amazon_added_yesterday_is_sent_where_it_is_said_to_be_new() -> None:
    details = PaymentDetails(charge_amount=TEN).with_fields({"installments": {"months": 3}})
    request = (
        UpdateCheckoutSessionRequest(payment_details=details)
        .with_fields({"loyalty": True})
        .with_fields({"season": None, "tags": ["a"]})
    )

    assert request.to_json() == (
        b'{"paymentDetails":{"chargeAmount":{"amount":"9.99","currencyCode":"USD"},"installments":{"months":3}},'
        b'"loyalty":true,"season":null,"tags":["a"]}'
    )
    assert request != UpdateCheckoutSessionRequest(payment_details=details)
    assert UpdateCheckoutSessionRequest(payment_details=details).to_json().endswith(b'{"months":3}}}')


@pytest.mark.parametrize("name", ["chargeAmount", "charge_amount"])
def test_a_field_that_is_known_is_set_where_it_is_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: it is a field of PaymentDetails; set it there"):
        PaymentDetails().with_fields({name: {"amount": "much"}})
