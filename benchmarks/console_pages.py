"""The console's pages over a ledger of many subscriptions, in SQLite: how long the server takes for each.

Pages are fetched one after the other on loopback, with a bare route of the same application as the floor. What is added
up and kept for half a minute is measured when it is made, and when it is kept; a subscription's own page asks its
workflow, on a Temporal server of this run. The aim is 100 ms a page.

Run: `python -m benchmarks.console_pages [--subscriptions N] [--times N] [--json]`
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from amazon_pay_client.outbound.library import httpx
from benchmarks.ledger_size import fill
from benchmarks.report import Report
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Plan
from perennial_billing.ledger.database import file_url
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.http import bind, origin_of, serving
from perennial_billing.runtime.logs import configure_logging
from perennial_billing.sandbox.stage import stage
from perennial_billing.starter.cli.processes import services_for
from perennial_billing.starter.console.app import create_console, for_one
from perennial_billing.starter.console.keeping import Kept

AIM_MILLISECONDS: Final = 100
MIDDLE: Final = "MIDDLE"
"""Stands for the id of one in the middle."""

PAGES: Final = {
    "find, the first page": "/subscriptions",
    "find, from the middle": f"/subscriptions?cursor={MIDDLE}",
    "find by a reference that nobody has": "/subscriptions?q=nobody-has-it",
    "find by status": "/subscriptions?status=retrying",
    "find who is past due": "/subscriptions?past_due=true",
    "find who needs attention": "/subscriptions?needs_attention=true",
    "find by plan, price and status": "/subscriptions?plan=plan-7&amount=9.99+USD&status=paused",
    "one that the ledger alone knows": f"/subscriptions/{MIDDLE}",
}
MADE: Final = {
    "today": "/",
    "today's declined and recovered": "/recovered",
    "report: past due": "/reports/aging",
    "report: forecast": "/reports/forecast",
    "report: recovery": "/reports/recovery",
    "report: revenue": "/reports/revenue",
    "does everything run": "/checks",
}
"""What is kept for a while."""


async def measured(http: httpx.AsyncClient, path: str, times: int) -> list[float]:
    """Milliseconds of each time."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        answer = await http.get(path)
        taken.append(1_000 * (time.perf_counter() - began))
        answer.raise_for_status()
    return taken


async def run(subscribers: int, times: int) -> Report:
    """Fills a ledger, and fetches every page."""
    figures: dict[str, Any] = {"subscriptions": subscribers}  # Any: as JSON has it
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Ledger.open(file_url(Path(folder) / "ledger.db"), set_up=True) as ledger,
            stage() as set_up,
            services_for(set_up.client, set_up.settings) as services,
        ):
            configure_logging(set_up.settings.model_copy(update={"log_level": "ERROR"}))
            await fill([ledger], subscribers)
            middle = f"C01-{0:07}-{subscribers // 2:07}"
            permission = (await set_up.simulator.open_permission()).charge_permission_id
            plan = Plan.of("tea", Money.parse("8.45 USD"), Interval(unit=Unit.MONTH))
            terms = Terms(charge_permission_id=permission, plan=plan, anchor=datetime.now(UTC))
            await services.subscriptions.start(terms, unchecked=True)
            with bind("127.0.0.1", 0) as listener:
                app = create_console(replace(services, ledger=ledger), for_one("bench"), origin_of(listener))
                async with serving(app, listener) as origin, httpx.AsyncClient(base_url=origin, timeout=120.0) as http:
                    pages = {
                        **{name: path.replace(MIDDLE, middle) for name, path in PAGES.items()},
                        "one that runs": f"/subscriptions/{permission}",
                        "a form": f"/subscriptions/{permission}/pause",
                    }
                    for name, path in {"floor: a bare route": "/health", **pages}.items():
                        await measured(http, path, 2)
                        taken = await measured(http, path, times)
                        rows.append([name, f"{statistics.median(taken):.0f}", f"{max(taken):.0f}", "-"])
                        figures[name] = {"median": statistics.median(taken), "most": max(taken)}
                    for name, path in MADE.items():
                        app.state.kept = Kept()
                        (made,) = await measured(http, path, 1)
                        taken = await measured(http, path, times)
                        rows.append([name, f"{statistics.median(taken):.0f}", f"{max(taken):.0f}", f"{made:.0f}"])
                        figures[name] = {"median": statistics.median(taken), "most": max(taken), "made": made}
    return Report(
        f"The console over {subscribers:,} subscriptions",
        ("Page", "Median (ms)", "Most (ms)", "When it is made (ms)"),
        rows,
        figures,
        f"Each {times} times, one after the other; the aim is {AIM_MILLISECONDS} ms.",
    )


def main() -> None:
    """Runs it as the command line says."""
    parser = argparse.ArgumentParser(prog="benchmarks.console_pages", description="The console's pages.")
    parser.add_argument("--subscriptions", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    asyncio.run(run(given.subscriptions, given.times)).print(as_json=given.json)


if __name__ == "__main__":
    main()
