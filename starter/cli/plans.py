"""The commands about plans: explain, preview, checkout."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from perennial_billing.billing.contract.agreement import FirstPeriod
from perennial_billing.billing.contract.schedule import first_that_costs
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.expiry import expiry_warning
from perennial_billing.billing.forecast.explain import CASES, Event, explain, standing_rules
from perennial_billing.billing.forecast.preview import MOST_CHARGES, upcoming
from perennial_billing.billing.plan.monthly_limit import limit_warning
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.starter.cli.agreement import (
    AnchorOption,
    BackdatedOption,
    BillingDayOption,
    BillingTimeOption,
    EndsAtOption,
    FirstPeriodOption,
    QuantityOption,
    ZoneOption,
    agreed,
    check_begins,
)
from perennial_billing.starter.cli.calendar import as_data, calendar_of
from perennial_billing.starter.cli.checkout import checkout
from perennial_billing.starter.cli.output import JsonOption, asynchronous, say
from perennial_billing.starter.cli.plan_file import FileArgument, read_plan
from perennial_billing.starter.cli.tables import Column, Sheet
from perennial_billing.starter.cli.texts import SOME_REFERENCE, texts_for, texts_in_words

SHOWN_PERIODS = 4
NOBODY = "C01-0000000-0000000"
"""A plan is explained without a buyer."""

plans = typer.Typer(name="plan", help="Look at plans before anything is billed by them.", no_args_is_help=True)


@plans.callback()
def _plan() -> None:
    """Look at plans before anything is billed by them."""


@plans.command("explain")
@asynchronous
async def explain_plan(
    file: FileArgument,
    zone: ZoneOption = "UTC",
    anchor: AnchorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in words and dates what a plan would do: when it charges, and what follows each kind of failure."""
    terms = agreed(
        charge_permission_id=NOBODY, plan=read_plan(file), zone=zone, anchor=anchor, merchant_reference=SOME_REFERENCE
    )
    texts = texts_for(terms, first_that_costs(terms.schedule))
    dates = [terms.schedule.due(n) for n in range(SHOWN_PERIODS) if terms.schedule.has_period(n)]
    cases = {code: explain(terms, code) for code in CASES}
    data = {
        "due": [at.isoformat() for at in dates],
        "warning": limit_warning(terms.plan),
        "expiry_warning": expiry_warning(terms),
        "rules": standing_rules(terms.plan),
        "texts": texts.model_dump(exclude_none=True) if texts else None,
        "failures": {
            code: [{"at": at.isoformat(), "what": what} for at, what in events] for code, events in cases.items()
        },
    }
    say(data, *_explained(terms, dates, cases), as_json=as_json)


plans.command("checkout")(checkout)


@plans.command("preview")
@asynchronous
async def preview_plan(
    file: FileArgument,
    count: Annotated[int, typer.Option(min=1, max=MOST_CHARGES, help="How many charges.")] = 12,
    quantity: QuantityOption = 1,
    zone: ZoneOption = "UTC",
    anchor: AnchorOption = None,
    billing_day: BillingDayOption = None,
    billing_time: BillingTimeOption = None,
    first_period: FirstPeriodOption = FirstPeriod.SHORT,
    ends_at: EndsAtOption = None,
    backdated: BackdatedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the calendar of a plan: when it would charge, how much and why, if it was started now and all succeeded."""
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
        merchant_reference=SOME_REFERENCE,
    )
    now = datetime.now(UTC)
    check_begins(terms, now, backdated=backdated)
    found = upcoming(Subscription.begin(terms), count, now)
    say(
        [as_data(each) for each in found],
        Text.assemble((terms.plan.plan_id, "bold"), f": {terms.plan}"),
        calendar_of(found, zone),
        *texts_in_words(terms),
        *_warning(terms),
        as_json=as_json,
    )


def _explained(
    terms: Terms, dates: Sequence[datetime], cases: Mapping[str, Sequence[Event]]
) -> Iterator[RenderableType]:
    """A plan's explanation for people."""
    plan, tz = terms.plan, rules_of(terms.zone)
    how_long = "" if plan.periods else ", for as long as the subscription lives"
    yield Text.assemble((plan.plan_id, "bold"), f": {plan}{how_long}. Times in {terms.zone}.")
    yield f"Due {', '.join(f'{at.astimezone(tz):%Y-%m-%d %H:%M}' for at in dates)}, ..."
    yield from _warning(terms)
    yield from (f"- {rule}" for rule in standing_rules(plan))
    yield from texts_in_words(terms)
    columns = (Column("Day", justify="right"), Column("When"), Column("What happens", is_prose=True))
    for code, events in cases.items():
        rows = [(str((at - terms.anchor).days), f"{at.astimezone(tz):%a %Y-%m-%d %H:%M}", what) for at, what in events]
        yield ""
        yield Sheet(columns, rows, title=f"{CASES[code]} ({code})")


def _warning(terms: Terms) -> Iterator[RenderableType]:
    """What there is to say of Amazon's monthly limit, and of the charge permission's age, if anything."""
    for warning in (limit_warning(terms.plan, terms.quantity), expiry_warning(terms)):
        if warning:
            yield Text.assemble(("Mind:", "bold yellow"), f" {warning}.")
