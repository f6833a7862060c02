"""What became of the periods that could not be collected at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.recovery import Durations, Outcome, Periods, recovery
from tests.ledger.told import notice, told

TEA, MILK = "C01-2702031-0000001", "C01-2702031-0000002"
DUE = datetime(2028, 2, 29, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
DECLINED, NEEDED, MENDED, CLOSED, HELD, GIVEN_UP, PAID, FREE = (
    NoticeType.CHARGE_DECLINED,
    NoticeType.PAYMENT_METHOD_NEEDED,
    NoticeType.PAYMENT_METHOD_MENDED,
    NoticeType.CHARGE_PERMISSION_CLOSED,
    NoticeType.SUBSCRIPTION_HELD,
    NoticeType.PERIOD_WRITTEN_OFF,
    NoticeType.PERIOD_PAID,
    NoticeType.PERIOD_FREE,
)
NOTHING = Periods(0, Money.parse("0 EUR"))


def about(number: int, kind: NoticeType, hours: float = 0, attempt: int | None = 1, **fields: Any) -> Notice:
    """Of period 4, some hours after it fell due."""
    given: dict[str, Any] = {"period": 4, "due": DUE, "at": DUE + hours * HOUR, "attempt": attempt}
    return notice(number, kind, **given | fields)


async def outcomes(ledger: Ledger) -> dict[Outcome, Periods]:
    """Of the one currency that there is; without what nothing came to."""
    [found] = (await recovery(ledger)).currencies
    return {outcome: periods for outcome, periods in found.all.outcomes.items() if periods.count}


async def test_an_empty_ledger_has_nothing_to_recover(ledger: Ledger) -> None:
    await ledger.record(told(about(1, PAID)))

    found = await recovery(ledger)

    assert (found.currencies, found.duration, found.durations) == ([], None, {})


async def test_a_soft_decline_that_the_third_attempt_pays_is_recovered_by_retry(ledger: Ledger) -> None:
    first = about(1, DECLINED, reason_code="SoftDeclined")
    second = about(2, DECLINED, 12, 2, reason_code="TransactionTimedOut")
    await ledger.record(told(first, second, about(3, PAID, 36.9, 3)))

    [found] = (report := await recovery(ledger)).currencies

    assert await outcomes(ledger) == {Outcome.RETRY: Periods(1, Money.parse("14.90 EUR"))}
    assert list(found.by_reason) == ["SoftDeclined"]
    assert found.by_attempt == {3: Periods(1, Money.parse("14.90 EUR"))}
    assert report.duration == Durations(1, 36 * HOUR, 36 * HOUR)
    assert (found.all.rate, found.all.amount_rate) == (1.0, 1.0)


async def test_a_second_attempt_that_was_paid_before_anything_was_told_counts_too(ledger: Ledger) -> None:
    await ledger.record(told(about(1, PAID, attempt=2)))

    [found] = (await recovery(ledger)).currencies

    assert list(found.by_reason) == [""]
    assert found.by_attempt == {2: Periods(1, Money.parse("14.90 EUR"))}


async def test_what_the_buyer_mended_is_told_apart_from_a_retry(ledger: Ledger) -> None:
    await ledger.record(told(about(1, NEEDED, reason_code="HardDeclined"), about(2, MENDED, 50), about(3, PAID, 50, 2)))

    assert await outcomes(ledger) == {Outcome.MENDED: Periods(1, Money.parse("14.90 EUR"))}


async def test_a_period_goes_on_under_each_charge_permission_that_follows(ledger: Ledger) -> None:
    """Refused under the first, declined under the second too, paid under the third: one period, recovered once."""
    milk, bread = MILK, "C01-2702031-0000003"
    refused = about(1, CLOSED, reason_code="BuyerCanceled")
    await ledger.record(told(refused, about(2, NoticeType.CHARGE_PERMISSION_REPLACED, 30, period=None, successor=milk)))
    again = about(3, DECLINED, 31, reason_code="SoftDeclined")
    gone = about(4, NoticeType.CHARGE_PERMISSION_REPLACED, 40, period=None, successor=bread)
    await ledger.record(told(again, gone, permission=milk))
    await ledger.record(told(about(5, PAID, 72), permission=bread))

    [found] = (report := await recovery(ledger)).currencies

    assert await outcomes(ledger) == {Outcome.NEW_CHECKOUT: Periods(1, Money.parse("14.90 EUR"))}
    assert list(found.by_reason) == ["BuyerCanceled"]
    assert found.by_attempt == {}
    assert report.durations[Outcome.NEW_CHECKOUT].median == 72 * HOUR


async def test_what_a_successor_pays_for_a_later_period_does_not_pay_for_this_one(ledger: Ledger) -> None:
    replaced = about(2, NoticeType.CHARGE_PERMISSION_REPLACED, 30, period=None, successor=MILK)
    await ledger.record(told(about(1, CLOSED, reason_code="BuyerCanceled"), replaced))
    await ledger.record(told(about(3, PAID, 700, period=5), permission=MILK))

    assert await outcomes(ledger) == {Outcome.OPEN: Periods(1, Money.parse("14.90 EUR"))}


async def test_what_was_given_up_and_what_is_open_are_no_recovery(ledger: Ledger) -> None:
    await ledger.record(told(about(1, DECLINED, reason_code="SoftDeclined"), about(2, GIVEN_UP, 900)))
    authorized = about(2, NoticeType.PERIOD_AUTHORIZED, 20, 2)
    await ledger.record(told(about(1, DECLINED, reason_code="SoftDeclined"), authorized, permission=MILK))

    [found] = (await recovery(ledger)).currencies

    assert await outcomes(ledger) == {
        Outcome.WRITTEN_OFF: Periods(1, Money.parse("14.90 EUR")),
        Outcome.OPEN: Periods(1, Money.parse("14.90 EUR")),
    }
    assert (found.all.recovered, found.all.rate) == (NOTHING, 0.0)


async def test_what_is_no_refusal_does_not_count(ledger: Ledger) -> None:
    """Amazon has not answered; the amount is not known yet; a payment method is broken while nothing is owed."""
    await ledger.record(told(about(1, HELD, reason_code="OutcomeUnknown"), about(2, PAID, 2)))
    unknown = about(1, HELD, amount=None, reason_code="AmountUnknown")
    between = notice(2, NEEDED, amount=None, at=DUE, reason_code="PaymentMethodExpired")
    await ledger.record(told(unknown, between, permission=MILK))

    assert (await recovery(ledger)).currencies == []


async def test_an_amount_of_nothing_has_no_rate_by_amount(ledger: Ledger) -> None:
    nothing = Money.parse("0.00 EUR")
    await ledger.record(told(about(1, HELD, amount=nothing, reason_code="MissedPeriods")))

    [found] = (await recovery(ledger)).currencies

    assert (found.all.rate, found.all.amount_rate) == (0.0, None)


async def test_periods_are_chosen_by_when_they_fell_due(ledger: Ledger) -> None:
    await ledger.record(told(about(1, DECLINED, 30, reason_code="SoftDeclined")))

    assert (await recovery(ledger, DUE, DUE + HOUR)).currencies != []
    assert (await recovery(ledger, DUE + HOUR, None)).currencies == []
    assert (await recovery(ledger, None, DUE)).currencies == []
    assert (await recovery(ledger, account="another")).currencies == []


async def test_each_currency_and_reason_stands_by_itself_the_most_frequent_first(ledger: Ledger) -> None:
    for number, (reason, amount) in enumerate(
        [("HardDeclined", "500 JPY"), ("SoftDeclined", "700 JPY"), ("SoftDeclined", "800 JPY"), ("Odd", "1.25 EUR")]
    ):
        declined = about(1, DECLINED, reason_code=reason, amount=Money.parse(amount))
        await ledger.record(told(declined, permission=f"C03-2702031-{number:07}"))

    euro, yen = (await recovery(ledger)).currencies

    assert (euro.currency, yen.currency) == ("EUR", "JPY")
    assert {reason: of.refused for reason, of in yen.by_reason.items()} == {
        "SoftDeclined": Periods(2, Money.parse("1500 JPY")),
        "HardDeclined": Periods(1, Money.parse("500 JPY")),
    }
    assert list(yen.by_reason) == ["SoftDeclined", "HardDeclined"]


async def test_half_and_nine_in_ten_took_no_longer_than(ledger: Ledger) -> None:
    for number, hours in enumerate([1, 2, 3, 4, 5, 6, 7, 8, 9, 400]):
        declined = about(1, DECLINED, reason_code="SoftDeclined")
        await ledger.record(told(declined, about(2, PAID, hours, 2), permission=f"C01-2702031-{number:07}"))

    assert (await recovery(ledger)).duration == Durations(10, 5 * HOUR, 9 * HOUR)
