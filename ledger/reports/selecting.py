"""What the reports select by: instants as numbers, and what counts once however often it was told."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, exists, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import func
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.tables import entries


class Seconds(FunctionElement[int]):
    """An instant as whole seconds since 1970 (UTC)."""

    type = BigInteger()
    inherit_cache = True
    name = "seconds"


@compiles(Seconds, "sqlite")
def _in_sqlite(element: Seconds, compiler: SQLCompiler, **how: Any) -> str:  # Any: the compiler's own options
    return f"CAST(strftime('%s', {compiler.process(element.clauses, **how)}) AS INTEGER)"


@compiles(Seconds, "postgresql")
def _in_postgresql(element: Seconds, compiler: SQLCompiler, **how: Any) -> str:  # Any: as above
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **how)})) AS BIGINT)"


class DayOfMonth(FunctionElement[int]):
    """The day of the month of an instant, in UTC."""

    type = BigInteger()
    inherit_cache = True
    name = "day_of_month"


@compiles(DayOfMonth, "sqlite")
def _day_in_sqlite(element: DayOfMonth, compiler: SQLCompiler, **how: Any) -> str:  # Any: as above
    return f"CAST(strftime('%d', {compiler.process(element.clauses, **how)}) AS INTEGER)"


@compiles(DayOfMonth, "postgresql")
def _day_in_postgresql(element: DayOfMonth, compiler: SQLCompiler, **how: Any) -> str:  # Any: as above
    return f"CAST(extract(day FROM {compiler.process(element.clauses, **how)} AT TIME ZONE 'UTC') AS BIGINT)"


def within(
    when: ColumnElement[Any],  # Any: an instant, or none
    since: datetime | None,
    until: datetime | None,
) -> ColumnElement[bool]:
    """From one instant on, and before another."""
    bounds = [when >= since] if since is not None else []
    return and_(true(), *bounds, *([when < until] if until is not None else []))


def of_account(account: str | None) -> ColumnElement[bool]:
    """Of one merchant account, or of all."""
    return and_(true(), *([entries.c.merchant_account == account] if account is not None else []))


def first_told(*same: str) -> ColumnElement[bool]:
    """That nothing of the same kind was recorded before which is alike in these columns.

    After Temporal was set back to an older state, the same charge may be told again under another number.
    """
    before = entries.alias()
    alike = [before.c[name] == entries.c[name] for name in ("type", *same)]
    return ~exists().where(*alike, before.c.id < entries.c.id)


def is_a(*kinds: NoticeType) -> ColumnElement[bool]:
    """An entry of one of these kinds."""
    return entries.c.type.in_([kind.value for kind in kinds])


def total(column: ColumnElement[Any]) -> ColumnElement[int]:  # Any: a number, or none
    """The sum, of nothing zero."""
    return func.coalesce(func.sum(column), 0)
