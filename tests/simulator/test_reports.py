"""Reports: a settlement is ordered, scheduled or made by itself, fetched, and adds up to what the books say."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import AmazonPayClient, Region
from amazon_pay_client.errors import BadRequestError, NotFoundError
from amazon_pay_client.models import (
    Charge,
    CreateChargeRequest,
    CreateRefundRequest,
    CreateReportRequest,
    CreateReportScheduleRequest,
    Currency,
    MerchantMetadata,
    Price,
    ProcessingStatus,
    Report,
    ReportType,
    ScheduleFrequency,
)
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.clock import TIME_HEADER
from amazon_pay_simulator.merchants import Merchant as Another
from amazon_pay_simulator.merchants import public_pem
from amazon_pay_simulator.notifications import NotificationSigner
from amazon_pay_simulator.report_objects import MistakeKind, SettlementMistake
from tests.simulator.merchant import COMPACT_DATE, KEY_ID, Merchant, Wanted, new_key
from tests.simulator.running import MERCHANT_ID, running_simulator

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SETTLEMENT = ReportType.SANDBOX_SETTLEMENT
COLUMNS = [
    "TransactionPostedDate",
    "SettlementId",
    "AmazonTransactionId",
    "SellerReferenceId",
    "TransactionType",
    "AmazonOrderReferenceId",
    "SellerOrderId",
    "StoreName",
    "CurrencyCode",
    "TransactionDescription",
    "TransactionAmount",
    "TransactionPercentageFee",
    "TransactionFixedFee",
    "TotalTransactionFee",
    "NetTransactionAmount",
]


class Settlement(NamedTuple):
    """A file that was fetched, read without any code of the simulator's."""

    heading: dict[str, str]
    rows: list[dict[str, str]]

    def told(self, *columns: str) -> list[tuple[str, ...]]:
        return [tuple(row[column] for column in columns) for row in self.rows]

    def total(self, column: str, *kinds: str) -> Decimal:
        return sum((Decimal(row[column]) for row in self.rows if row["TransactionType"] in kinds), Decimal(0))


class Shop(NamedTuple):
    """A merchant with our client, and the Amazon that it talks to."""

    client: AmazonPayClient
    amazon: SimulatorHandle

    async def charged(self, amount: str, currency: Currency = Currency.USD, **fields: Any) -> Charge:
        permission = await self.amazon.open_permission(currency)
        request = CreateChargeRequest(
            charge_permission_id=permission.charge_permission_id,
            charge_amount=Price(amount=Decimal(amount), currency_code=currency),
            capture_now=True,
            **fields,
        )
        return await self.client.charges.create(request, idempotency_key=new_key())

    async def refunded(self, charge: Charge, amount: str) -> str:
        price = Price(amount=Decimal(amount), currency_code=Currency.USD)
        request = CreateRefundRequest(charge_id=charge.charge_id, refund_amount=price)
        refund = await self.client.refunds.create(request, idempotency_key=new_key())
        await self.amazon.advance_clock(MINUTE)
        return refund.refund_id

    async def ordered(self, start: datetime | None = None, end: datetime | None = None) -> str:
        """A settlement of the last day, if nothing else is said."""
        now = await self.amazon.now()
        request = CreateReportRequest(report_type=SETTLEMENT, start_time=start or now - DAY, end_time=end or now)
        return (await self.client.reports.create(request, idempotency_key=new_key())).report_id

    async def made(self, start: datetime | None = None, end: datetime | None = None) -> Report:
        ordered = await self.ordered(start, end)
        await self.amazon.advance_clock(MINUTE)
        return await self.client.reports.get(ordered)

    async def settlement(self, report: Report, delimiter: str = ",") -> Settlement:
        assert report.report_document_id is not None, f"it is {report.processing_status}"
        return settlement_in(await fetched(await self.url(report)), delimiter)

    async def url(self, report: Report) -> str:
        assert report.report_document_id is not None
        return (await self.client.report_documents.get(report.report_document_id)).url


async def fetched(url: str) -> str:
    async with httpx.AsyncClient(verify=False) as http:
        answer = await http.get(url)
    answer.raise_for_status()
    return answer.text


def settlement_in(text: str, delimiter: str = ",") -> Settlement:
    lines = text.splitlines()
    names = next(at for at, line in enumerate(lines) if line.startswith('"TransactionPostedDate"'))
    heading = dict(csv.reader(lines[:names], delimiter=delimiter))
    return Settlement(heading, list(csv.DictReader(lines[names:], delimiter=delimiter)))


@asynccontextmanager
async def shop_at(amazon: SimulatorHandle, private_key: RSAPrivateKey, key_id: str = KEY_ID) -> AsyncIterator[Shop]:
    async with AmazonPayClient(
        public_key_id=key_id, private_key=private_key, region=Region.NA, origin=amazon.origin
    ) as client:
        yield Shop(client, amazon)


@pytest.fixture
async def shop(amazon: SimulatorHandle, private_key: RSAPrivateKey) -> AsyncIterator[Shop]:
    async with shop_at(amazon, private_key) as its_shop:
        yield its_shop


# What a settlement tells


async def test_a_settlement_is_ordered_polled_and_fetched_and_adds_up_to_the_books(shop: Shop) -> None:
    january = await shop.charged("100.00", merchant_metadata=MerchantMetadata(merchant_reference_id="2027-01"))
    february = await shop.charged("19.99", soft_descriptor="Ice cream")
    refund = await shop.refunded(january, "40.00")
    dispute = await shop.amazon.dispute_charge(february.charge_id)

    ordered = await shop.ordered()
    at_first = await shop.client.reports.get(ordered)
    await shop.amazon.advance_clock(MINUTE)
    report = await shop.client.reports.get(ordered)
    settlement = await shop.settlement(report)

    assert (at_first.processing_status, at_first.report_document_id) == (ProcessingStatus.IN_PROGRESS, None)
    assert report.processing_status is ProcessingStatus.COMPLETED
    assert settlement.heading["SellerId"] == MERCHANT_ID
    assert list(settlement.rows[0]) == COLUMNS
    assert sorted(settlement.told("TransactionType", "AmazonTransactionId", "TransactionAmount")) == [
        ("Capture", january.charge_id, "100.00"),
        ("Capture", february.charge_id, "19.99"),
        ("Chargeback", dispute.dispute_id, "-19.99"),
        ("Refund", refund, "-40.00"),
        ("Transfer", "", "-57.08"),
    ]
    books = await shop.amazon.books()
    captured = sum((charge.capture_amount.amount for charge in books.charges if charge.capture_amount), Decimal(0))
    assert settlement.total("TransactionAmount", "Capture") == captured == Decimal("119.99")
    assert settlement.total("NetTransactionAmount", "Capture", "Refund", "Chargeback", "Transfer") == 0
    of_january = next(row for row in settlement.rows if row["AmazonTransactionId"] == january.charge_id)
    assert (of_january["SellerReferenceId"], of_january["AmazonOrderReferenceId"]) == (
        "2027-01",
        january.charge_permission_id,
    )


async def test_fees_are_below_zero_and_a_refund_gives_the_percentage_back(shop: Shop) -> None:
    charge = await shop.charged("100.00")
    await shop.refunded(charge, "40.00")

    settlement = await shop.settlement(await shop.made())

    columns = COLUMNS[-5:]
    assert settlement.told("TransactionType", *columns)[:2] == [
        ("Capture", "100.00", "-2.90", "-0.30", "-3.20", "96.80"),
        ("Refund", "-40.00", "1.16", "0.00", "1.16", "-38.84"),
    ]
    assert settlement.told("NetTransactionAmount")[2] == ("-57.96",)


async def test_yen_have_no_decimals_and_each_currency_is_paid_out_by_itself(shop: Shop) -> None:
    await shop.charged("980", Currency.JPY)
    await shop.charged("10.00")

    settlement = await shop.settlement(await shop.made())

    assert sorted(
        settlement.told("TransactionType", "CurrencyCode", "TotalTransactionFee", "NetTransactionAmount")
    ) == [
        ("Capture", "JPY", "-28", "952"),
        ("Capture", "USD", "-0.59", "9.41"),
        ("Transfer", "JPY", "0", "-952"),
        ("Transfer", "USD", "0.00", "-9.41"),
    ]


async def test_only_the_period_is_settled_both_ends_in_it(shop: Shop) -> None:
    await shop.charged("1.00")
    await shop.amazon.advance_clock(MINUTE)
    charge = await shop.charged("2.00")
    await shop.amazon.advance_clock(MINUTE)
    await shop.charged("3.00")
    posted = charge.status_details.last_updated_timestamp

    settlement = await shop.settlement(await shop.made(posted, posted))

    assert settlement.told("TransactionAmount")[:-1] == [("2.00",)]


async def test_what_is_only_authorized_is_in_no_settlement_and_a_report_of_nothing_is_cancelled(shop: Shop) -> None:
    permission = (await shop.amazon.open_permission()).charge_permission_id
    price = Price(amount=Decimal("7.00"), currency_code=Currency.USD)
    authorized = CreateChargeRequest(charge_permission_id=permission, charge_amount=price, capture_now=False)
    await shop.client.charges.create(authorized, idempotency_key=new_key())

    report = await shop.made()

    assert report.processing_status is ProcessingStatus.CANCELLED, "there was nothing to report"
    assert report.report_document_id is None


async def test_a_balance_below_zero_is_not_transferred(shop: Shop) -> None:
    charge = await shop.charged("50.00")
    await shop.amazon.advance_clock(MINUTE)
    start = await shop.amazon.now()
    await shop.refunded(charge, "50.00")

    settlement = await shop.settlement(await shop.made(start, start + DAY))

    assert settlement.told("TransactionType", "NetTransactionAmount") == [("Refund", "-48.55")]


async def test_fees_and_separator_are_assumptions(private_key: RSAPrivateKey, signer: NotificationSigner) -> None:
    assumed = Assumptions(
        settlement_fee_percent=Decimal("1.5"),
        settlement_fee_fixed=Decimal(0),
        settlement_fee_returned=False,
        settlement_separator="tab",
    )
    async with (
        running_simulator(private_key, signer, assumptions=assumed) as amazon,
        shop_at(amazon, private_key) as shop,
    ):
        await shop.refunded(await shop.charged("33.00"), "33.00")

        settlement = await shop.settlement(await shop.made(), "\t")

    assert settlement.told("TotalTransactionFee") == [("-0.50",), ("0.00",)]


# Wrong ones on demand


@pytest.mark.parametrize(
    ("kind", "amount", "told"),
    [
        (MistakeKind.MISSING, None, []),
        (MistakeKind.DOUBLED, None, ["12.00", "12.00"]),
        (MistakeKind.OTHER_AMOUNT, Decimal("11.00"), ["11.00"]),
    ],
)
async def test_a_settlement_is_wrong_about_a_charge_where_that_is_asked_for(
    shop: Shop, kind: MistakeKind, amount: Decimal | None, told: list[str]
) -> None:
    wrong, right = await shop.charged("12.00"), await shop.charged("5.00")
    await shop.amazon.spoil_settlements(SettlementMistake(transaction_id=wrong.charge_id, kind=kind, amount=amount))
    mistaken = await shop.settlement(await shop.made())
    await shop.amazon.spoil_settlements()
    corrected = await shop.settlement(await shop.made())

    of: dict[str, list[str]] = {charge.charge_id: [] for charge in (wrong, right)}
    for charge_id, stated in mistaken.told("AmazonTransactionId", "TransactionAmount")[:-1]:
        of[charge_id].append(stated)
    assert of == {wrong.charge_id: told, right.charge_id: ["5.00"]}
    assert mistaken.total("NetTransactionAmount", "Capture", "Transfer") == 0, "it is wrong, but adds up"
    assert corrected.total("TransactionAmount", "Capture") == Decimal("17.00")


async def test_another_amount_of_a_refund_is_below_zero_as_well(shop: Shop) -> None:
    refund = await shop.refunded(await shop.charged("30.00"), "30.00")
    await shop.amazon.spoil_settlements(
        SettlementMistake(transaction_id=refund, kind=MistakeKind.OTHER_AMOUNT, amount=Decimal("3.00"))
    )

    settlement = await shop.settlement(await shop.made())

    assert settlement.total("TransactionAmount", "Refund") == Decimal("-3.00")


async def test_another_currency_has_the_same_number_in_whole_units_of_it_and_is_paid_out_by_itself(shop: Shop) -> None:
    charge = await shop.charged("12.60")
    wrong = SettlementMistake(transaction_id=charge.charge_id, kind=MistakeKind.OTHER_CURRENCY, currency=Currency.JPY)
    await shop.amazon.spoil_settlements(wrong)

    settlement = await shop.settlement(await shop.made())

    columns = ("TransactionType", "CurrencyCode", "TransactionAmount", "TotalTransactionFee", "NetTransactionAmount")
    assert settlement.told(*columns) == [("Capture", "JPY", "13", "0", "13"), ("Transfer", "JPY", "-13", "0", "-13")]


async def test_beside_a_charge_may_stand_one_of_somebody_else(shop: Shop) -> None:
    charge = await shop.charged("12.00", merchant_metadata=MerchantMetadata(merchant_reference_id="order-7"))
    await shop.amazon.spoil_settlements(SettlementMistake(transaction_id=charge.charge_id, kind=MistakeKind.FOREIGN))

    settlement = await shop.settlement(await shop.made())

    foreign, own, _ = settlement.told("AmazonTransactionId", "AmazonOrderReferenceId", "SellerOrderId")
    assert foreign == (f"P01-9999999-9999999-{charge.charge_id[-7:]}", "P01-9999999-9999999", "")
    assert own == (charge.charge_id, charge.charge_permission_id, "order-7")
    assert settlement.total("TransactionAmount", "Capture") == Decimal("24.00")


@pytest.mark.parametrize(
    ("mistakes", "status", "named"),
    [
        ([{"transaction_id": "none", "kind": "missing"}], 404, "none"),
        ([{"transaction_id": "none", "kind": "other_currency"}], 422, "currency"),
        ([{"transaction_id": "none", "kind": "foreign", "currency": "JPY"}], 422, "currency"),
        ([{"transaction_id": "none", "kind": "other_currency", "currency": "XXX"}], 422, "currency"),
        ([{"transaction_id": "none", "kind": "lost"}], 422, "kind"),
        ([{"transaction_id": "none", "kind": "other_amount"}], 422, "amount"),
        ([{"transaction_id": "none", "kind": "missing", "amount": "1.00"}], 422, "amount"),
        ([{"transaction_id": "none", "kind": "missing", "charge": 1}], 422, "charge"),
        ([{"transaction_id": "none", "kind": "missing"}] * 2, 400, "transaction_id"),
    ],
    ids=str,
)
async def test_a_mistake_that_cannot_be_made_is_refused_by_name(
    simulator: SimulatorHandle, mistakes: list[dict[str, Any]], status: int, named: str
) -> None:
    async with httpx.AsyncClient(verify=False) as http:
        answer = await http.put(f"{simulator.origin}/simulator/settlements/mistakes", json=mistakes)

    assert answer.status_code == status
    assert named in answer.text


# Documents


async def test_an_address_is_valid_for_thirty_seconds_and_needs_no_signature(shop: Shop) -> None:
    await shop.charged("8.00")
    report = await shop.made()
    url = await shop.url(report)

    first = await fetched(url)
    await shop.amazon.advance_clock(timedelta(seconds=31))
    async with httpx.AsyncClient(verify=False) as http:
        late, unknown = await http.get(url), await http.get(f"{url}0")

    assert "8.00" in first
    assert late.status_code == 403
    assert unknown.status_code == 404
    assert await fetched(await shop.url(report)) == first, "the next address leads to the same"


async def test_reports_and_mistakes_survive_a_restart(
    private_key: RSAPrivateKey, signer: NotificationSigner, tmp_path: Path
) -> None:
    books = tmp_path / "books.db"
    async with (
        running_simulator(private_key, signer, database=books) as amazon,
        shop_at(amazon, private_key) as shop,
    ):
        charge = await shop.charged("6.00")
        report = await shop.made()
        before = await fetched(await shop.url(report))
        await amazon.spoil_settlements(SettlementMistake(transaction_id=charge.charge_id, kind=MistakeKind.DOUBLED))
    async with (
        running_simulator(private_key, signer, database=books) as amazon,
        shop_at(amazon, private_key) as shop,
    ):
        assert await shop.client.reports.get(report.report_id) == report
        assert await fetched(await shop.url(report)) == before
        assert (await shop.settlement(await shop.made())).total("TransactionAmount", "Capture") == Decimal("12.00")


# Lists


async def test_pages_cut_anywhere_show_each_report_once_newest_first(shop: Shop) -> None:
    ordered = [await shop.ordered() for _ in range(5)]
    await shop.amazon.advance_clock(timedelta(seconds=5))

    page = await shop.client.reports.list(page_size=2)
    found = [report.report_id for report in page.reports]
    await shop.amazon.advance_clock(MINUTE)
    await shop.ordered()
    while page.next_token is not None:
        page = await shop.client.reports.list(next_token=page.next_token)
        assert len(page.reports) <= 2
        found += [report.report_id for report in page.reports]

    assert found == ordered[::-1], "one that was ordered meanwhile is not of this list"


async def test_the_list_is_of_the_kinds_states_and_times_that_are_asked_for(shop: Shop) -> None:
    await shop.charged("4.00")
    done = (await shop.made()).report_id
    between = await shop.amazon.now()
    await shop.amazon.advance_clock(MINUTE)
    waiting = await shop.ordered()

    async def ids(**filters: Any) -> list[str]:
        return [report.report_id for report in (await shop.client.reports.list(**filters)).reports]

    assert await ids() == [waiting, done]
    assert await ids(processing_statuses=[ProcessingStatus.COMPLETED]) == [done]
    assert await ids(created_since=between) == [waiting]
    assert await ids(created_until=between) == [done]
    assert await ids(report_types=[SETTLEMENT, ReportType.CAPTURE]) == [waiting, done]
    assert await ids(report_types=[ReportType.CAPTURE]) == []


async def test_ten_reports_are_a_page_and_ninety_days_are_shown(shop: Shop) -> None:
    for _ in range(11):
        await shop.ordered()

    page = await shop.client.reports.list()
    await shop.amazon.advance_clock(timedelta(days=91))

    assert len(page.reports) == 10
    assert page.next_token is not None
    assert (await shop.client.reports.list()).reports == ()


# Schedules


def every_day(at: datetime, **fields: Any) -> CreateReportScheduleRequest:
    return CreateReportScheduleRequest(
        report_type=SETTLEMENT, schedule_frequency=ScheduleFrequency.P1D, next_report_creation_time=at, **fields
    )


async def test_a_schedule_makes_a_settlement_each_day_and_no_transaction_stands_in_two(shop: Shop) -> None:
    first = await shop.amazon.now() + DAY
    created = await shop.client.report_schedules.create(every_day(first), idempotency_key=new_key())
    await shop.charged("1.00")
    await shop.amazon.set_clock(first)
    await shop.charged("2.00")
    await shop.amazon.advance_clock(timedelta(days=1, minutes=1))

    reports = (await shop.client.reports.list()).reports
    settlements = [await shop.settlement(report) for report in reports]
    schedule = await shop.client.report_schedules.get(created.report_schedule_id)

    assert [report.created_time for report in reports] == [first + DAY, first]
    assert [settlement.total("TransactionAmount", "Capture") for settlement in settlements] == [2, 1]
    assert schedule.next_report_creation_time == first + 2 * DAY


async def test_there_is_one_schedule_for_a_type_and_it_is_replaced_only_on_request(shop: Shop) -> None:
    at = await shop.amazon.now() + DAY
    first = await shop.client.report_schedules.create(every_day(at), idempotency_key=new_key())
    with pytest.raises(BadRequestError, match=first.report_schedule_id):
        await shop.client.report_schedules.create(every_day(at), idempotency_key=new_key())
    second = await shop.client.report_schedules.create(
        every_day(at, delete_existing_schedule=True), idempotency_key=new_key()
    )

    listed = (await shop.client.report_schedules.list(report_types=[SETTLEMENT])).report_schedules
    others = (await shop.client.report_schedules.list(report_types=[ReportType.CAPTURE])).report_schedules

    assert [schedule.report_schedule_id for schedule in listed] == [second.report_schedule_id]
    assert others == ()


async def test_a_canceled_schedule_makes_no_more_reports(shop: Shop) -> None:
    at = await shop.amazon.now() + DAY
    schedule_id = (
        await shop.client.report_schedules.create(every_day(at), idempotency_key=new_key())
    ).report_schedule_id

    await shop.client.report_schedules.cancel(schedule_id)
    await shop.amazon.advance_clock(2 * DAY)

    assert (await shop.client.reports.list()).reports == ()
    with pytest.raises(NotFoundError):
        await shop.client.report_schedules.get(schedule_id)


# Live


async def test_in_live_each_day_is_settled_by_itself_and_each_transaction_once(
    private_key: RSAPrivateKey, signer: NotificationSigner
) -> None:
    key_id = "LIVE-MERCHANT"
    async with (
        running_simulator(private_key, signer, key_id=key_id) as amazon,
        shop_at(amazon, private_key, key_id) as shop,
    ):
        morning = (await amazon.now()).replace(hour=9, minute=0, second=0) + DAY
        await amazon.set_clock(morning)
        await shop.charged("1.00")
        same_day = (await shop.client.reports.list()).reports
        await amazon.advance_clock(DAY)
        await shop.charged("2.00")
        next_day = (await shop.client.reports.list()).reports
        await amazon.advance_clock(3 * DAY)
        reports = (await shop.client.reports.list(report_types=[ReportType.SETTLEMENT])).reports
        settlements = [await shop.settlement(report) for report in reports]

    midnight = morning.replace(hour=0) + DAY
    assert (same_day, len(next_day)) == ((), 1)
    assert [report.created_time for report in reports] == [midnight + DAY, midnight]
    assert [settlement.total("TransactionAmount", "Capture") for settlement in settlements] == [2, 1]


async def test_in_live_captures_and_refunds_are_ordered_with_what_has_changed_in_a_time(
    private_key: RSAPrivateKey, signer: NotificationSigner
) -> None:
    key_id = "LIVE-MERCHANT"
    async with (
        running_simulator(private_key, signer, key_id=key_id) as amazon,
        shop_at(amazon, private_key, key_id) as shop,
    ):
        start = await amazon.now()
        charge = await shop.charged("12.00", merchant_metadata=MerchantMetadata(merchant_reference_id="order-7"))
        permission = await amazon.open_permission()
        request = CreateChargeRequest(
            charge_permission_id=permission.charge_permission_id,
            charge_amount=Price(amount=Decimal("1.00"), currency_code=Currency.USD),
        )
        await shop.client.charges.create(request, idempotency_key=new_key())  # only authorized
        refund = await shop.refunded(charge, "5.00")
        end = await amazon.now()
        await amazon.advance_clock(DAY)
        made = []
        for kind in (ReportType.CAPTURE, ReportType.REFUND):
            ordered = await shop.client.reports.create(
                CreateReportRequest(report_type=kind, start_time=start, end_time=end), idempotency_key=new_key()
            )
            await amazon.advance_clock(MINUTE)
            report = await shop.client.reports.get(ordered.report_id)
            made.append(list(csv.DictReader((await fetched(await shop.url(report))).splitlines())))
        later = CreateReportRequest(report_type=ReportType.CAPTURE, start_time=end + DAY, end_time=end + DAY)
        of_nothing = await shop.client.reports.create(later, idempotency_key=new_key())
        await amazon.advance_clock(MINUTE)
        state = (await shop.client.reports.get(of_nothing.report_id)).processing_status

    ([capture], [back]) = made
    assert (capture["AmazonCaptureId"], capture["AmazonOrderReferenceId"]) == (
        charge.charge_id,
        charge.charge_permission_id,
    )
    assert (capture["CaptureAmount"], capture["CurrencyCode"], capture["CaptureStatus"]) == (
        "12.00",
        "USD",
        "Completed",
    )
    assert capture["CaptureReferenceId"] == "order-7"
    assert (back["AmazonRefundId"], back["AmazonCaptureId"]) == (refund, charge.charge_id)
    assert (back["RefundAmount"], back["RefundStatus"]) == ("5.00", "Completed")
    assert state == ProcessingStatus.CANCELLED


async def test_what_is_dated_before_the_last_settlement_in_live_stands_in_the_next(
    private_key: RSAPrivateKey, signer: NotificationSigner
) -> None:
    key_id = "LIVE-MERCHANT"
    async with (
        running_simulator(private_key, signer, key_id=key_id) as amazon,
        shop_at(amazon, private_key, key_id) as shop,
    ):
        morning = (await amazon.now()).replace(hour=9, minute=0, second=0) + DAY
        permission = (await amazon.open_permission(at=morning)).charge_permission_id
        await amazon.set_clock(morning)
        await shop.charged("1.00")
        await amazon.advance_clock(DAY)
        first = (await shop.client.reports.list()).reports
        late = CreateChargeRequest(
            charge_permission_id=permission,
            charge_amount=Price(amount=Decimal("4.00"), currency_code=Currency.USD),
            capture_now=True,
        )
        yesterday = {TIME_HEADER: (morning + MINUTE).strftime(COMPACT_DATE)}
        await shop.client.charges.create(late, idempotency_key=new_key(), headers=yesterday)
        await amazon.advance_clock(DAY)
        reports = (await shop.client.reports.list()).reports
        settlements = [await shop.settlement(report) for report in reports]

    assert reports[1:] == first
    assert [settlement.total("TransactionAmount", "Capture") for settlement in settlements] == [4, 1]


async def test_a_second_merchants_settlement_is_its_own_and_fetched_beneath_its_name(
    shop: Shop, private_key: RSAPrivateKey
) -> None:
    pem = public_pem(private_key.public_key())
    await shop.amazon.put_merchant(Another(merchant_id="A2", public_keys={"SANDBOX-A2": pem}))
    await shop.charged("1.00")
    async with (
        SimulatorHandle(shop.amazon.origin, "A2") as others,
        shop_at(others, private_key, "SANDBOX-A2") as theirs,
    ):
        await theirs.charged("2.00")
        report = await theirs.made()
        settlement = await theirs.settlement(report)
        url = await theirs.url(report)

    assert settlement.heading["SellerId"] == "A2"
    assert settlement.told("TransactionAmount")[0] == ("2.00",)
    assert url.startswith(f"{shop.amazon.origin}/merchants/A2/report-documents/")
    assert (await shop.client.reports.list()).reports == ()


async def test_an_order_that_is_repeated_under_its_key_is_one_report(shop: Shop) -> None:
    now, key = await shop.amazon.now(), new_key()
    request = CreateReportRequest(report_type=SETTLEMENT, start_time=now - DAY, end_time=now)

    answers = [await shop.client.reports.create(request, idempotency_key=key) for _ in range(2)]

    assert answers[0] == answers[1]
    assert len((await shop.client.reports.list()).reports) == 1


# What is refused


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"reportType": None}, "MissingParameterValue", "reportType"),
        ({"reportType": "_GET_RICH_"}, "InvalidParameterValue", "reportType"),
        ({"reportType": ReportType.SETTLEMENT}, "InvalidParameterValue", "reportType"),
        ({"reportType": ReportType.CAPTURE}, "InvalidParameterValue", "reportType"),
        ({"startTime": "yesterday"}, "InvalidParameterValue", "startTime"),
        ({"endTime": "20260101T000000Z"}, "InvalidParameterCombination", "endTime"),
        ({"currency": "USD"}, "UnrecognizedField", "currency"),
    ],
    ids=str,
)
async def test_a_report_that_cannot_be_ordered_is_refused_by_name(
    merchant: Merchant, changes: dict[str, Any], code: str, named: str
) -> None:
    body = {"reportType": SETTLEMENT, "startTime": "20260201T000000Z", "endTime": "20260202T000000Z"} | changes

    status, answer = await merchant.call("POST", "/reports", body, new_key())

    assert (status, answer["reasonCode"]) == (400, code)
    assert named in answer["message"]


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        ("pageSize=0", "InvalidParameterValue", "pageSize"),
        ("pageSize=101", "InvalidParameterValue", "pageSize"),
        ("pageSize=2&pageSize=3", "InvalidParameterValue", "pageSize"),
        ("processingStatuses=COMPLETED%2CDONE", "InvalidParameterValue", "processingStatuses.1"),
        ("reportTypes=_GET_RICH_", "InvalidParameterValue", "reportTypes.0"),
        ("createdSince=today", "InvalidParameterValue", "createdSince"),
        ("nextToken=none", "InvalidParameterValue", "nextToken"),
        ("nextToken=bm9uZQ%3D%3D", "InvalidParameterValue", "nextToken"),
        ("nextToken=none&pageSize=5", "InvalidParameterCombination", "nextToken"),
        ("marketplace=1", "UnrecognizedField", "marketplace"),
    ],
)
async def test_a_list_that_cannot_be_read_is_refused_by_name(
    merchant: Merchant, query: str, code: str, named: str
) -> None:
    answer = await merchant.send(Wanted("GET", "/v2/reports", query=query))

    assert (answer.status_code, answer.json()["reasonCode"]) == (400, code)
    assert named in answer.json()["message"]


async def test_what_is_unknown_is_not_found(merchant: Merchant) -> None:
    for method, path in (
        ("GET", "/reports/none"),
        ("GET", "/report-documents/none"),
        ("GET", "/report-schedules/none"),
        ("DELETE", "/report-schedules/none"),
    ):
        status, answer = await merchant.call(method, path)
        assert (status, answer["reasonCode"]) == (404, "ResourceNotFound")
