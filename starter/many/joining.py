"""Subscribers who come from elsewhere: checked against Amazon, started paused, and resumed on the day of the change.

Nothing here charges anybody. Each step can be repeated after a crash: what is done already is found, and left alone.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from perennial_billing.billing.changes import ResumeSubscription
from perennial_billing.billing.chargeable import check_chargeable
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.refusals import Refused, refusals_of
from perennial_billing.billing.subscription import Subscription
from perennial_billing.starter.client import Subscriptions, shares_reference
from perennial_billing.starter.errors import NotReadError, RequestRefusedError, SubscriptionError
from perennial_billing.starter.many.rows import Numbered, read_rows
from perennial_billing.starter.many.runner import Outcome, Result
from perennial_billing.starter.reading import OpensAmazon


@dataclass(frozen=True, slots=True)
class Joining:
    """A row that is right in itself, and the subscription that it makes."""

    line: int
    subscription: Subscription

    @property
    def charge_permission_id(self) -> str:
        """Who it is."""
        return self.subscription.terms.charge_permission_id

    def result(self, outcome: Outcome, why: str = "", mind: str = "") -> Result:
        """A line of the report."""
        return Result(self.charge_permission_id, outcome, why, self.line, mind)


async def joining(path: Path, plans: Mapping[str, Plan]) -> AsyncIterator[Joining | Result]:
    """The subscriptions that a file's rows make; a refusal in place of each row that makes none.

    A charge permission that stands in the file twice is refused the second time.

    Raises:
        Refused: the file as a whole cannot be read.
        OSError: there is no such file.
    """
    now = datetime.now(UTC)
    lines: dict[str, int] = {}
    async for numbered in read_rows(path):
        made = _made(numbered, plans, now)
        if isinstance(made, Joining):
            first = lines.setdefault(made.charge_permission_id, made.line)
            if first != made.line:
                made = made.result(Outcome.REFUSED, f"charge_permission_id: is that of line {first} too")
        yield made


def _made(numbered: Numbered, plans: Mapping[str, Plan], now: datetime) -> Joining | Result:
    def refused(why: str) -> Result:
        return Result(numbered.charge_permission_id, Outcome.REFUSED, why, numbered.line)

    if numbered.row is None:
        return refused(numbered.why)
    try:
        return Joining(numbered.line, numbered.row.subscription(plans, now))
    except ValidationError as error:
        return refused("; ".join(map(str, refusals_of(error, _COLUMNS))))
    except Refused as refusal:
        return refused(str(refusal))
    except (ArithmeticError, ValueError) as error:
        # Dates end with the year 9999, and a number that is right in itself may lead beyond it.
        return refused(f"a date or a number leads out of all bounds: {error}")


_COLUMNS: Final = {"day": "billing_day", "at": "billing_time"}
"""How a row knows what its billing day is made of."""


class References:
    """Which charge permissions go by a merchant reference, so that a customer who is to be billed twice is noticed."""

    def __init__(self) -> None:
        self._known: defaultdict[tuple[str | None, str], set[str]] = defaultdict(set)

    @classmethod
    async def of_running(cls, subscriptions: Subscriptions) -> "References":
        """Those of all running subscriptions, as Temporal's visibility store knows them."""
        references = cls()
        async for listed in subscriptions.list():
            if listed.merchant_reference:
                references._known[listed.merchant_account, listed.merchant_reference].add(listed.charge_permission_id)
        return references

    def note(self, terms: Terms) -> str:
        """Takes one in; says which others go by its reference, and nothing where none does."""
        if not terms.merchant_reference:
            return ""
        known = self._known[terms.merchant_account, terms.merchant_reference]
        others = sorted(known - {terms.charge_permission_id})
        known.add(terms.charge_permission_id)
        return shares_reference(terms, others)


class Checker:
    """Compares rows with what Amazon says of their charge permissions; changes nothing.

    Args:
        amazon: opens a way to Amazon for the account of a row, which is asked once.
    """

    def __init__(self, amazon: OpensAmazon) -> None:
        self._amazon = amazon
        self._references = References()

    async def check(self, row: Joining | Result) -> Result:
        """Whether the subscription can be started, and charged once it is cut over."""
        if isinstance(row, Result):
            return row
        lifecycle = row.subscription.lifecycle.but(pause=None)
        try:
            async with self._amazon(row.subscription.terms.merchant_account) as amazon:
                answer = await amazon.charge_permission(row.charge_permission_id)
            check_chargeable(row.subscription.but(lifecycle=lifecycle), answer, datetime.now(UTC))
        except (Refused, NotReadError) as why:
            return row.result(Outcome.REFUSED, str(why), self._references.note(row.subscription.terms))
        return row.result(Outcome.DONE, mind=self._references.note(row.subscription.terms))


class Starter:
    """Starts rows, paused, and resumes them.

    Args:
        subscriptions: the merchant's way in.
        references: of those that run already.
    """

    def __init__(self, subscriptions: Subscriptions, references: References | None = None) -> None:
        self._subscriptions = subscriptions
        self._references = references or References()

    async def start(self, row: Joining | Result) -> Result:
        """Starts one; one that was started with the same terms before is left as it is."""
        if isinstance(row, Result):
            return row
        try:
            started = await self._subscriptions.adopt(row.subscription)
        except SubscriptionError as error:
            return row.result(Outcome.REFUSED, str(error))
        mind = self._references.note(row.subscription.terms)
        return row.result(Outcome.ALREADY if started.already else Outcome.DONE, mind=mind)

    async def cut_over(self, row: Joining | Result) -> Result:
        """Resumes one: what fell due before is not owed, and the next due date is charged here."""
        if isinstance(row, Result):
            return row
        try:
            changed = await self._subscriptions.change(row.charge_permission_id, ResumeSubscription())
        except RequestRefusedError as error:
            status = await self._subscriptions.status(row.charge_permission_id)
            running = status.pause is None and not status.has_ended
            return row.result(Outcome.ALREADY if running else Outcome.REFUSED, "" if running else str(error))
        except SubscriptionError as error:
            return row.result(Outcome.REFUSED, str(error))
        step = changed.next
        return row.result(Outcome.DONE, f"next: {step.at:%Y-%m-%d %H:%M} UTC, {step.why}" if step else "")
