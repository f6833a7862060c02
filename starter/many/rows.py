"""The rows of a file of subscribers who come from elsewhere: CSV with a header, or a JSON object a line."""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from billing.contract.agreement import BillingDay, FirstPeriod
from billing.contract.terms import DEFAULT_ACCOUNT, Terms
from billing.money import Money
from billing.plan import Plan
from billing.refusals import Refused, refusals_of
from billing.subscription import Subscription


def _money(value: object) -> object:
    try:
        return Money.parse(value) if isinstance(value, str) else value
    except Refused as refusal:
        raise refusal.under("") from None


class Row(BaseModel):
    """One subscriber.

    Attributes:
        charge_permission_id: Amazon's id of the recurring charge permission that the buyer approved.
        plan: the plan's id.
        anchor: the instant that the due dates are counted from; its day and wall time are kept.
        next_period: the first period to be charged here, counted from the anchor's 0; the next that falls due when not
            given.
        zone: IANA zone that days and months are counted in.
        quantity: how many units of the plan.
        billing_day: a day of the month that periods are moved to.
        billing_time: its wall time.
        ends_at: nothing falls due at or after this instant.
        merchant_reference: your own reference; never personal data.
        merchant_account: the short name of the Amazon Pay account that is charged for.
        debt: what is owed from before, such as `12.00 USD`; it is added to the first charge here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    charge_permission_id: str
    plan: str
    anchor: AwareDatetime
    next_period: Annotated[int, Field(ge=0)] | None = None
    zone: str = "UTC"
    quantity: int = 1
    billing_day: int | None = None
    billing_time: time | None = None
    ends_at: AwareDatetime | None = None
    merchant_reference: str = ""
    merchant_account: str = DEFAULT_ACCOUNT
    debt: Annotated[Money | None, BeforeValidator(_money)] = None

    def subscription(self, plans: Mapping[str, Plan], now: datetime) -> Subscription:
        """The subscription, paused, as it is to be started.

        Raises:
            Refused: the row cannot be meant.
            ValidationError: it is not accepted as terms.
        """
        plan = plans.get(self.plan)
        if plan is None:
            raise Refused("plan", repr(self.plan), f"the plans are: {', '.join(sorted(plans)) or 'none'}")
        if self.billing_time is not None and self.billing_day is None:
            raise Refused("billing_time", f"{self.billing_time:%H:%M}", "a billing_day is needed beside it")
        day = None
        if self.billing_day is not None:
            day = BillingDay(day=self.billing_day, at=self.billing_time, first_period=FirstPeriod.SHORT)
        terms = Terms(
            charge_permission_id=self.charge_permission_id,
            plan=plan,
            quantity=self.quantity,
            anchor=self.anchor,
            billing_day=day,
            ends_at=self.ends_at,
            zone=self.zone,
            merchant_reference=self.merchant_reference,
            merchant_account=self.merchant_account,
        )
        return Subscription.joining(terms, next_period=self.next_period, debt=self.debt, now=now)


class Numbered(BaseModel):
    """A row and the line that it ends in; or, in its place, why it cannot be read."""

    line: int
    row: Row | None = None
    charge_permission_id: str = ""
    why: str = ""


async def read_rows(path: Path) -> AsyncIterator[Numbered]:
    """The file's rows, one after the other; what cannot be read is given as such, and does not end it.

    Raises:
        Refused: the file as a whole cannot be read: its kind, its encoding, its header.
        OSError: there is no such file.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise Refused(str(path), "", "subscribers are read from a .csv or .jsonl file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for line, content in reader(file):
                yield _numbered(line, content)
        except UnicodeDecodeError as error:
            raise Refused(str(path), "", f"not UTF-8: {error}") from None


def _numbered(line: int, content: object) -> Numbered:
    if isinstance(content, ValueError):
        return Numbered(line=line, why=str(content))
    identifier = content.get("charge_permission_id") if isinstance(content, dict) else None
    known = identifier if isinstance(identifier, str) else ""
    try:
        return Numbered(line=line, row=Row.model_validate(content), charge_permission_id=known)
    except ValidationError as error:
        return Numbered(line=line, charge_permission_id=known, why="; ".join(map(str, refusals_of(error))))


def _csv_rows(file: TextIO) -> Iterator[tuple[int, object]]:
    rows = csv.DictReader(file, restkey="", restval="", strict=True)
    unknown = set(rows.fieldnames or ()) - set(Row.model_fields)
    missing = {name for name, field in Row.model_fields.items() if field.is_required()} - set(rows.fieldnames or ())
    if unknown or missing:
        trouble = [f"{name!r} is not a column" for name in sorted(unknown)]
        trouble += [f"{name!r} is missing" for name in sorted(missing)]
        raise Refused("header", "", f"{', '.join(trouble)}; columns are {', '.join(Row.model_fields)}")
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, ValueError(f"not CSV: {error}")
            continue
        yield rows.line_num, {name: value for name, value in row.items() if value not in {"", None}}


def _json_rows(file: TextIO) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield number, json.loads(line, parse_float=str)
            except ValueError as error:
                yield number, ValueError(f"not JSON: {error}")


_READERS: Final[Mapping[str, Callable[[TextIO], Iterator[tuple[int, Any]]]]] = {  # Any: what a line holds
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
}
