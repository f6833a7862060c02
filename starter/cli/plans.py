"""The commands about plans: explain, preview, checkout."""

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from activities.recurring import recurring_metadata
from billing.explain import CASES, explain, standing_rules
from billing.monthly_limit import limit_warning
from billing.preview import MOST_CHARGES, Upcoming, upcoming
from billing.recurrence import Recurrence
from billing.schedule import FirstPeriod
from billing.subscription import Subscription
from billing.zones import zone as rules_of
from starter.cli.agreement import (
    AnchorOption,
    BillingDayOption,
    BillingTimeOption,
    EndsAtOption,
    FirstPeriodOption,
    QuantityOption,
    ZoneOption,
    agreed,
)
from starter.cli.output import JsonOption, out, run
from starter.cli.plan_file import read_plan

SHOWN_PERIODS = 4
NOBODY = "C01-0000000-0000000"
"""A plan is explained without a buyer."""

FileArgument = Annotated[Path, typer.Argument(help="A plan file (.toml or .json); see examples/plans.", dir_okay=False)]

plans = typer.Typer(name="plan", help="Look at plans before anything is billed by them.", no_args_is_help=True)


@plans.callback()
def _plan() -> None:
    """Look at plans before anything is billed by them."""


@plans.command("explain")
def explain_plan(
    file: FileArgument,
    zone: ZoneOption = "UTC",
    anchor: AnchorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in words and dates what a plan would do: when it charges, and what follows each kind of failure."""

    async def command() -> None:
        terms = agreed(charge_permission_id=NOBODY, plan=read_plan(file), zone=zone, anchor=anchor)
        cases = {code: explain(terms, code) for code in CASES}
        dates = [terms.schedule.due(n) for n in range(SHOWN_PERIODS) if terms.schedule.has_period(n)]
        warning = limit_warning(terms.plan)
        if as_json:
            told = {
                code: [{"at": at.isoformat(), "what": what} for at, what in events] for code, events in cases.items()
            }
            due, rules = [at.isoformat() for at in dates], standing_rules(terms.plan)
            out.print_json(json.dumps({"due": due, "warning": warning, "rules": rules, "failures": told}))
            return
        plan, tz = terms.plan, rules_of(zone)
        how_long = "" if plan.periods else ", for as long as the subscription lives"
        out.print(f"[bold]{plan.plan_id}[/]: {plan}{how_long}. Times in {zone}.")
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


@plans.command("checkout")
def checkout(file: FileArgument, quantity: QuantityOption = 1) -> None:
    """Print what the checkout session has to say of a plan, as JSON: chargePermissionType and recurringMetadata."""

    async def command() -> None:
        said = recurring_metadata(Recurrence.of(read_plan(file), quantity)).model_dump(mode="json", by_alias=True)
        out.print_json(json.dumps({"chargePermissionType": "Recurring", "recurringMetadata": said}))

    run(command())


@plans.command("preview")
def preview_plan(
    file: FileArgument,
    count: Annotated[int, typer.Option(min=1, max=MOST_CHARGES, help="How many charges.")] = 12,
    quantity: QuantityOption = 1,
    zone: ZoneOption = "UTC",
    anchor: AnchorOption = None,
    billing_day: BillingDayOption = None,
    billing_time: BillingTimeOption = None,
    first_period: FirstPeriodOption = FirstPeriod.SHORT,
    ends_at: EndsAtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the calendar of a plan: when it would charge, how much and why, if each charge succeeded."""

    async def command() -> None:
        terms = agreed(
            charge_permission_id=NOBODY,
            plan=read_plan(file),
            quantity=quantity,
            zone=zone,
            anchor=anchor,
            billing_day=billing_day,
            billing_time=billing_time,
            first_period=first_period,
            ends_at=ends_at,
        )
        found = upcoming(Subscription.begin(terms), count, terms.anchor)
        if as_json:
            out.print_json(json.dumps([each.model_dump(mode="json") for each in found]))
            return
        out.print(f"[bold]{terms.plan.plan_id}[/]: {terms.plan}")
        out.print(calendar_of(found, zone))
        if warning := limit_warning(terms.plan, terms.quantity):
            out.print(f"[bold yellow]Mind:[/] {warning}.")

    run(command())


def calendar_of(found: Sequence[Upcoming], zone: str) -> Table:
    """A table of charges to come, in a zone's wall time, with the sum so far."""
    tz, sums = rules_of(zone), accumulate(each.amount.amount for each in found)
    table = Table("Period", f"Charged ({zone})", "Amount", "Sum", "Why")
    for column in (0, 2, 3):
        table.columns[column].justify = "right"
    for each, total in zip(found, sums, strict=True):
        local = each.at.astimezone(tz)
        table.add_row(str(each.period), f"{local:%a %Y-%m-%d %H:%M}", str(each.amount), str(total), each.why)
    return table
