"""The commands about plans: explain."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from billing.explain import CASES, explain
from billing.monthly_limit import limit_warning
from billing.subscription import Terms
from billing.zones import zone as rules_of
from runtime.errors import StartupError
from starter.cli.output import in_one_line, out, run
from starter.cli.plan_file import read_plan

SHOWN_PERIODS = 4

plans = typer.Typer(name="plan", help="Look at plans before anything is billed by them.", no_args_is_help=True)


@plans.callback()
def _plan() -> None:
    """Look at plans before anything is billed by them."""


@plans.command("explain")
def explain_plan(
    file: Annotated[Path, typer.Argument(help="A plan file (.toml or .json); see examples/plans.", dir_okay=False)],
    zone: Annotated[str, typer.Option(help="IANA time zone that days and months are counted in.")] = "UTC",
    anchor: Annotated[
        str | None, typer.Option(help="Instant of the first charge, ISO 8601 with offset; tomorrow when not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")] = False,
) -> None:
    """Say in words and dates what a plan would do: when it charges, and what follows each kind of failure."""

    async def command() -> None:
        terms = _terms(file, zone, anchor)
        cases = {code: explain(terms, code) for code in CASES}
        dates = [terms.calendar.due(n) for n in range(SHOWN_PERIODS) if terms.plan.has_period(n)]
        warning = limit_warning(terms.plan)
        if as_json:
            told = {
                code: [{"at": at.isoformat(), "what": what} for at, what in events] for code, events in cases.items()
            }
            out.print_json(json.dumps({"due": [at.isoformat() for at in dates], "warning": warning, "failures": told}))
            return
        plan, tz = terms.plan, rules_of(zone)
        how_long = f"for {plan.periods} periods" if plan.periods else "for as long as the subscription lives"
        out.print(f"[bold]{plan.plan_id}[/]: {plan.amount} every {plan.interval}, {how_long}. Times in {zone}.")
        out.print(f"Due {', '.join(f'{at.astimezone(tz):%Y-%m-%d %H:%M}' for at in dates)}, ...")
        if warning:
            out.print(f"[bold yellow]Mind:[/] {warning}.")
        for code, events in cases.items():
            table = Table("Day", "When", "What happens", title=f"{CASES[code]} ({code})", title_justify="left")
            for at, what in events:
                table.add_row(str((at - terms.anchor).days), f"{at.astimezone(tz):%a %Y-%m-%d %H:%M}", what)
            out.print("", table)

    run(command())


def _terms(file: Path, zone: str, anchor: str | None) -> Terms:
    plan = read_plan(file)
    tomorrow = datetime.now(UTC).replace(hour=9, minute=0, second=0) + timedelta(days=1)
    try:
        instant = datetime.fromisoformat(anchor) if anchor else tomorrow
    except ValueError:
        raise StartupError(f"--anchor: {anchor!r} is not an instant such as 2026-01-31T09:00:00+01:00") from None
    try:
        return Terms(charge_permission_id="C01-0000000-0000000", plan=plan, anchor=instant, zone=zone)
    except ValidationError as error:
        raise StartupError(in_one_line(error, {"anchor": "--anchor", "zone": "--zone"})) from None
