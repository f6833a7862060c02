"""How SQLite finds what a report asks for: not by going through much of all that was ever told, for each row anew."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from sqlalchemy import event

from perennial_billing.ledger.finding import Search, find
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.reports.aging import aging
from perennial_billing.ledger.reports.recovery import recovery
from perennial_billing.ledger.reports.revenue import revenue

SINCE, UNTIL = datetime(2029, 11, 1, tzinfo=UTC), datetime(2030, 4, 1, tzinfo=UTC)

ASKED: Final[dict[str, Callable[[Ledger], Awaitable[object]]]] = {
    "aging": lambda ledger: aging(ledger, UNTIL),
    "recovery": lambda ledger: recovery(ledger, SINCE, UNTIL),
    "recovery of all": recovery,
    "revenue": lambda ledger: revenue(ledger, SINCE, UNTIL),
    "find": lambda ledger: find(ledger, Search(charge_id="C-1")),
}


@pytest.mark.parametrize("name", ASKED)
async def test_for_each_row_it_looks_up_a_few_others(ledger: Ledger, name: str) -> None:
    """By the index of types, or of periods alone, a report of a million entries took longer than anybody waited."""
    if ledger.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL finds out by itself how much there is")

    steps = await _steps(ledger, ASKED[name])

    assert steps
    assert not [step for step, for_each in steps if for_each and "ix_entries_type_at" in step], "all of a type"
    assert not [step for step, _ in steps if "AUTOMATIC" in step and "(period=?)" in step], "all of a period's number"
    assert not [step for step, _ in steps if step.startswith("SCAN entries")]


async def _steps(ledger: Ledger, ask: Callable[[Ledger], Awaitable[object]]) -> list[tuple[str, bool]]:
    """Of all statements that it makes: each step, and whether it is done for each row of another."""
    asked: list[tuple[str, Any]] = []
    event.listen(
        ledger.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, values, *_: asked.append((statement, values)),
    )
    await ask(ledger)
    steps: list[tuple[str, bool]] = []
    async with ledger.engine.connect() as connection:
        for statement, values in [each for each in asked if "entries" in each[0]]:
            for_each = {0: False}
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            for step in plan.mappings():
                detail, above = str(step["detail"]), for_each[step["parent"]]
                for_each[step["id"]] = above or detail.startswith("CORRELATED")
                steps.append((detail, above))
    return steps
