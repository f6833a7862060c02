"""What many subscribers tell, made up from a seed: alike, and with the troubles that some have."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.summary import Summary
from perennial_billing.ledger.entries import Told

NOW: Final = datetime(2027, 6, 15, 12, tzinfo=UTC)
ACCOUNTS: Final = (("default", "USD"), ("shop-eu", "EUR"), ("shop-jp", "JPY"))
PLANS: Final = 20
PERIODS: Final = 8
"""That a subscriber has paid, or was to pay."""

REASONS: Final = ("SoftDeclined", "SoftDeclined", "SoftDeclined", "TransactionTimedOut", "ProcessingFailure")
DAY: Final = timedelta(days=1)

RETRIED: Final = 0.08
MENDED: Final = 0.02
"""Of the periods are paid after a retry, or once the payment method is mended."""

LOST: Final = 0.1
"""Of these are not paid after all: written off, or still owed where it is the last."""

REFUNDED: Final = 0.01
DISPUTED: Final = 0.002
"""Of the charges."""

CANCELED: Final = 0.03
NEED_ATTENTION: Final = 0.01
ON_PAYDAY: Final = 0.4
"""Of the subscriptions; the last of those that are charged each month."""


@dataclass(slots=True)
class _Story:
    """One subscriber's notices, as they come."""

    number: int
    chance: random.Random
    notices: list[Notice] = field(default_factory=list)

    @property
    def permission(self) -> str:
        return f"C01-{self.number // 10_000_000:07}-{self.number % 10_000_000:07}"

    def tell(self, kind: NoticeType, at: datetime, **fields: Any) -> None:  # Any: the fields of a notice
        self.notices.append(Notice(number=len(self.notices) + 1, type=kind, at=at, **fields))

    def charge_id(self, period: int) -> str:
        return f"S01-{self.number:07}-{period:07}-C{period:06}"


def stories(subscribers: int, seed: int = 1) -> Iterator[Told]:
    """What each of so many subscribers told until now, one after the other: ten notices each, on the average."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
    for number in range(subscribers):
        yield _story(_Story(number, chance))


def _story(story: _Story) -> Told:
    chance = story.chance
    account, currency = ACCOUNTS[story.number % len(ACCOUNTS)]
    price = Money(amount=Decimal(chance.randrange(500, 5_000)), currency=currency)
    if currency != "JPY":
        price = price.but(amount=price.amount.scaleb(-2))
    interval = chance.choice([Interval(unit=Unit.MONTH)] * 8 + [Interval(unit=Unit.WEEK), Interval(unit=Unit.YEAR)])
    step = interval.days * DAY or interval.months * 30 * DAY
    next_at = _next_at(chance, interval)
    began = next_at - PERIODS * step
    story.tell(NoticeType.SUBSCRIPTION_STARTED, began, amount=price)
    stands: dict[str, Any] = {"status": Status.ACTIVE, "next_charge_at": next_at, "next_action": Action.CHARGE}
    for period in range(PERIODS):
        is_last = period == PERIODS - 1
        if not _paid(story, period, began + period * step, price, leaves_open=is_last):
            stands = {
                "status": Status.RETRYING,
                "past_due_since": NOW - chance.randrange(90) * DAY,
                "last_reason": "SoftDeclined",
                "next_action": Action.CHARGE,
                "next_action_at": NOW + DAY,
            }
    if chance.random() < CANCELED and "past_due_since" not in stands:
        stands = _canceled(story, began + chance.randrange(int(PERIODS * step.days)) * DAY)
    plan_id = f"plan-{chance.randrange(PLANS):02}"
    fields: dict[str, Any] = {"next_action_at": stands.get("next_charge_at")} | stands
    return Told(
        charge_permission_id=story.permission,
        merchant_account=account,
        merchant_reference=f"order-{story.number:07}",
        plan_id=plan_id,
        notices=story.notices,
        summary=Summary(
            merchant_account=account,
            plan_id=plan_id,
            price=price,
            interval=interval,
            quantity=1,
            began_at=began,
            needs_attention=chance.random() < NEED_ATTENTION,
            **fields,
        ),
    )


def _next_at(chance: random.Random, interval: Interval) -> datetime:
    """Many are charged on the first of the month at midnight, the others at any minute."""
    if interval.months == 1 and chance.random() < ON_PAYDAY:
        return datetime(2027, 7, 1, tzinfo=UTC)
    return NOW + timedelta(minutes=chance.randrange(int((interval.days or interval.months * 30) * 1_440)))


def _paid(story: _Story, period: int, due: datetime, price: Money, *, leaves_open: bool) -> bool:
    """Most pay at once; some after a retry, or once the payment method is mended. Few owe the last one."""
    chance = story.chance
    about: dict[str, Any] = {"period": period, "due": due, "amount": price}
    luck, attempt, paid_at = chance.random(), 1, due
    if luck < RETRIED:
        story.tell(NoticeType.CHARGE_DECLINED, due, **about, attempt=1, reason_code=chance.choice(REASONS))
        attempt = chance.choice([2, 2, 2, 3, 4])
        paid_at = due + timedelta(hours=12 * (attempt - 1))
    elif luck < RETRIED + MENDED:
        story.tell(NoticeType.PAYMENT_METHOD_NEEDED, due, **about, attempt=1, reason_code="HardDeclined")
        attempt, paid_at = 2, due + chance.randrange(1, 15) * DAY
    if luck < RETRIED + MENDED and chance.random() < LOST:
        if leaves_open:
            return False
        story.tell(NoticeType.PERIOD_WRITTEN_OFF, due + 30 * DAY, **about, attempt=attempt, reason_code="SoftDeclined")
        return True
    charge_id = story.charge_id(period)
    story.tell(NoticeType.PERIOD_PAID, paid_at, **about, attempt=attempt, charge_id=charge_id)
    if chance.random() < REFUNDED:
        given = {"period": period, "amount": price, "charge_id": charge_id, "refund_id": f"{charge_id}-R"}
        story.tell(NoticeType.REFUND_COMPLETED, paid_at + 20 * DAY, **given)
    if chance.random() < DISPUTED:
        opened = {"period": period, "amount": price, "charge_id": charge_id, "dispute_id": f"{charge_id}-B"}
        story.tell(NoticeType.DISPUTE_OPENED, paid_at + 40 * DAY, **opened, status="ActionRequired")
        story.tell(NoticeType.DISPUTE_CHANGED, paid_at + 60 * DAY, **opened, status="BuyerWon")
    return True


def _canceled(story: _Story, at: datetime) -> dict[str, Any]:
    """What is so of a subscription that has ended."""
    story.tell(NoticeType.SUBSCRIPTION_ENDED, at, status=Status.CANCELED.value, reason="moved away")
    return {"status": Status.CANCELED, "ended_at": at}
