"""The commands about plans: explain."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from billing.explain import CASES, explain, standing_rules
from billing.monthly_limit import limit_warning
from billing.zones import zone as rules_of
from starter.cli.agreement import agreed
from starter.cli.output import out, run
from starter.cli.plan_file import read_plan

SHOWN_PERIODS = 4
NOBODY = "C01-0000000-0000000"
"""A plan is explained without a buyer."""

plans = typer.Typer(name="plan", help="Look at plans before anything is billed by them.", no_args_is_help=True)


@plans.callback()
def _plan() -> None:
    """Look at plans before anything is billed by them."""


@plans.command("explain")
def explain_plan(
    file: Annotated[Path, typer.Argument(help="A plan file (.toml or .json); see examples/plans.", dir_okay=False)],
    zone: Annotated[str, typer.Option(help="IANA time zone that days and months are counted in.")] = "UTC",
    anchor: Annotated[
        str | None, typer.Option(help="Instant of the first charge, ISO 8601 with offset; now when not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")] = False,
) -> None:
    """Say in words and dates what a plan would do: when it charges, and what follows each kind of failure."""

    async def command() -> None:
        terms = agreed(charge_permission_id=NOBODY, plan=read_plan(file), zone=zone, anchor=anchor)
        cases = {code: explain(terms, code) for code in CASES}
        dates = [terms.calendar.due(n) for n in range(SHOWN_PERIODS) if terms.plan.has_period(n)]
        warning = limit_warning(terms.plan)
        if as_json:
            told = {
                code: [{"at": at.isoformat(), "what": what} for at, what in events] for code, events in cases.items()
            }
            due, rules = [at.isoformat() for at in dates], standing_rules(terms.plan)
            out.print_json(json.dumps({"due": due, "warning": warning, "rules": rules, "failures": told}))
            return
        plan, tz = terms.plan, rules_of(zone)
        how_long = f"for {plan.periods} periods" if plan.periods else "for as long as the subscription lives"
        out.print(f"[bold]{plan.plan_id}[/]: {plan.amount} every {plan.interval}, {how_long}. Times in {zone}.")
        out.print(f"Due {', '.join(f'{at.astimezone(tz):%Y-%m-%d %H:%M}' for at in dates)}, ...")
        if warning:
            out.print(f"[bold yellow]Mind:[/] {warning}.")
        for rule in standing_rules(plan):
            out.print(f"- {rule}")
        for code, events in cases.items():
            table = Table("Day", "When", "What happens", title=f"{CASES[code]} ({code})", title_justify="left")
            for at, what in events:
                table.add_row(str((at - terms.anchor).days), f"{at.astimezone(tz):%a %Y-%m-%d %H:%M}", what)
            out.print("", table)

    run(command())
