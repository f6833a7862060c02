"""What happens in the demonstration: three subscribers, a virtual year each, told as data."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodOutcome
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.sandbox.stage import Stage
from perennial_billing.sandbox.subscriber import Subscriber

PERIODS: Final = 12
DAYS_UNTIL_THE_CARD_IS_MENDED: Final = timedelta(days=3)

_PLAN: Final = Plan.of("coffee-monthly", Money.parse("19.90 USD"), Interval(unit=Unit.MONTH))


@dataclass(frozen=True, slots=True)
class Role:
    """One subscriber's part.

    Attributes:
        name: shown in the table.
        part: what happens to the subscriber, in words.
        zone: where the subscriber's days are counted.
        script: how Amazon answers the charges, in order; after the last, charges succeed.
        cancels: whether the subscriber cancels at the end of the year.
    """

    name: str
    part: str
    zone: str
    script: Sequence[str | None] = ()
    cancels: bool = False


ROLES: Final = (
    Role("Ada", "pays every month and cancels at the end of the year", "Europe/London", cancels=True),
    Role(
        "Ben",
        "is soft-declined twice in the fourth month and recovers by himself",
        "America/New_York",
        (None,) * 3 + ("SoftDeclined",) * 2,
    ),
    Role(
        "Chloe",
        "is hard-declined in the sixth month until she mends her card, and Amazon's notification says so",
        "Asia/Tokyo",
        (None,) * 5 + ("HardDeclined",),
    ),
)


@dataclass(slots=True)
class Progress:
    """How far one subscriber is, for the live table."""

    role: Role
    subscription: SubscriptionView | None = None
    now: datetime | None = None


Changed = Callable[[str | None], None]
"""Told of each step in a subscriber's year, with a line of news if there is any."""


async def begin(stage: Stage, role: Role) -> Subscriber:
    """The buyer approves a charge permission, and the merchant starts the subscription."""
    permission = await stage.simulator.open_permission()
    identifier = permission.charge_permission_id
    await stage.simulator.script(identifier, role.script)
    terms = Terms(
        charge_permission_id=identifier,
        plan=_PLAN,
        anchor=datetime.now(UTC) + timedelta(minutes=10),
        zone=role.zone,
        merchant_reference=f"demo/{identifier}",
    )
    await stage.subscriptions.start(terms)
    return Subscriber(stage, terms)


async def live(subscriber: Subscriber, progress: Progress, changed: Changed) -> None:
    """One virtual year of one subscriber."""

    async def see(what: Awaitable[SubscriptionView]) -> SubscriptionView:
        before = progress.subscription
        subscription = await what
        progress.subscription, progress.now = subscription, await subscriber.now()
        news = _news(before, subscription)
        changed(f"{progress.now:%Y-%m-%d} {progress.role.name}: {news}" if news else None)
        return subscription

    for period in range(PERIODS):
        subscription = await see(subscriber.until_due(period))
        while subscription.owed is not None:
            if subscription.status is Status.AWAITING_PAYMENT_METHOD:
                await see(subscriber.after(DAYS_UNTIL_THE_CARD_IS_MENDED))
                subscription = await see(subscriber.mend_card())
            elif subscription.next is not None:
                subscription = await see(subscriber.until(subscription.next.at))
    if progress.role.cancels:
        await see(subscriber.cancel("the buyer has had enough coffee"))


async def live_all(subscribers: Sequence[Subscriber], board: Sequence[Progress], changed: Changed) -> None:
    """All of them at once, each in its own virtual time."""
    async with asyncio.TaskGroup() as group:
        for subscriber, progress in zip(subscribers, board, strict=True):
            group.create_task(live(subscriber, progress, changed))


def _news(before: SubscriptionView | None, now: SubscriptionView) -> str | None:
    """What is worth telling; an ordinary payment is not."""
    if now.has_ended:
        return f"{now.status.value}, charge permission closed"
    if now.owed is not None:
        if before is not None and before.owed is not None:
            before_that = (before.status, before.owed.attempts)
            if before_that == (now.status, now.owed.attempts):
                return None
        return f"period {now.owed.period}: {now.last_reason}, {now.status.value.replace('_', ' ')}"
    if before is not None and before.owed is not None and now.ledger:
        record = now.ledger[-1]
        if record.outcome is PeriodOutcome.PAID:
            return f"period {record.period}: paid at attempt {record.attempts}"
    return None
