"""What needs somebody today: who waits, what is past due, what falls due, what was recovered, and whether all runs."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from amazon_pay_client.errors import AmazonPayError, ApiError
from perennial_billing.activities.accounts import AccountUnusableError
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.ledger.api_keys import ApiKey
from perennial_billing.ledger.finding import Found, Search, find
from perennial_billing.ledger.reports.aging import AGES, Aging, aging
from perennial_billing.ledger.reports.forecast import ALL_ACCOUNTS, Forecast, forecast
from perennial_billing.ledger.reports.recovery import RecoveryReport, recovery
from perennial_billing.ledger.undelivered import DeliveryFound, DeliverySearch, find_deliveries
from perennial_billing.starter.api.access import account_for, check_account
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.checks import asking, temporal
from perennial_billing.starter.checks.check import Check, State
from perennial_billing.starter.checks.deployment import LEDGER
from perennial_billing.starter.checks.looking import Look, looked_at
from perennial_billing.starter.console.access import Reader
from perennial_billing.starter.console.keeping import Kept
from perennial_billing.starter.console.pages import page
from perennial_billing.starter.deployments import Deployments
from perennial_billing.starter.report_pages import waited
from perennial_billing.starter.tabular import Bars, Measured

router = APIRouter()

SHOWN: Final = 8
DAYS_AHEAD: Final = 7
DAYS_BACK: Final = 30
RECOVERED_SECONDS: Final = 600.0
"""How long that is kept."""

AMAZON: Final = "Amazon Pay"
ANSWERS_WITHIN_SECONDS: Final = 8.0
_WORKFLOWS: Final = (temporal.FAILING, temporal.PAUSED, temporal.STOPPED, temporal.OVERDUE)
_NOBODYS: Final = "S01-0000000-0000000"

Account = Annotated[str | None, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that is shown of an account, or of all.

    Attributes:
        at: as of when (UTC).
        waiting: who needs somebody.
        past_due: by age.
        due: what falls due.
        undelivered: notices that nobody will be told without somebody.
    """

    at: datetime
    waiting: list[Found]
    past_due: Aging
    due: Forecast
    undelivered: list[DeliveryFound]


@router.get("/")
async def today(request: Request, person: Reader, services: ServicesDep, account: Account = None) -> Response:
    """The day."""
    whose = _account(person, account)
    kept: Kept = request.app.state.kept
    day = await kept.get(("today", whose), lambda: _day(services, whose))
    return page(
        request,
        "today.html",
        day=day,
        account=whose,
        accounts=sorted(person.accounts),
        waiting=day.waiting[:SHOWN],
        are_more_waiting=len(day.waiting) > SHOWN,
        past_due=list(_past_due(day.past_due)),
        due=_due(day.due),
        queue=_queue(day.due),
        undelivered=day.undelivered[:SHOWN],
        days_ahead=DAYS_AHEAD,
        days_back=DAYS_BACK,
    )


@router.get("/recovered")
async def recovered(request: Request, person: Reader, services: ServicesDep, account: Account = None) -> Response:
    """What became of what was declined: of a large ledger, that takes some seconds to add up."""
    whose = _account(person, account)
    kept: Kept = request.app.state.kept
    since = datetime.now(UTC) - timedelta(days=DAYS_BACK)

    async def made() -> RecoveryReport:
        return await recovery(services.ledger, since, None, account=whose)

    report = await kept.get(("recovered", whose), made, RECOVERED_SECONDS)
    return page(request, "recovered.html", recovered=_recovered(report), days_back=DAYS_BACK)


@router.get("/checks")
async def checks(request: Request, person: Reader, services: ServicesDep) -> Response:
    """Whether everything that bills is there and does."""
    del person
    kept: Kept = request.app.state.kept
    found = await kept.get("checks", lambda: _checks(services))
    return page(request, "checks.html", checks=found, State=State)


def _account(person: ApiKey, account: str | None) -> str | None:
    """The account that is named, or the first of somebody's several; None for all.

    Raises:
        ProblemError: they do not see it.
    """
    if account:
        check_account(person, account)
        return account
    return min(person.accounts) if len(person.accounts) > 1 else account_for(person, None)


async def _day(services: Services, account: str | None) -> Day:
    ledger, now = services.ledger, datetime.now(UTC)
    accounts = [account] if account is not None else []
    quotas = await services.own_quotas() if services.own_quotas is not None else {}
    waiting, past_due, due, undelivered = await asyncio.gather(
        find(ledger, Search(merchant_accounts=accounts, needs_attention=True, has_ended=False), limit=SHOWN + 1),
        aging(ledger, now, account=account),
        forecast(ledger, now, DAYS_AHEAD, services.quota, account=account, quotas=quotas),
        find_deliveries(ledger, DeliverySearch(undelivered=True, merchant_accounts=accounts), limit=SHOWN),
    )
    return Day(now, waiting, past_due, due, undelivered)


def _past_due(report: Aging) -> list[Bars]:
    """A picture for each currency."""
    drawn = []
    for currency in sorted({each.amount.currency for each in report.past_due}):
        bars = []
        for age in AGES:
            of = [each for each in report.past_due if each.age is age and each.amount.currency == currency]
            amount = sum((each.amount.amount for each in of), Decimal(0))
            count = sum(each.subscriptions for each in of)
            bars.append(Measured(f"{age} days", float(amount), f"{count} owe {amount} {currency}" if count else "none"))
        drawn.append(Bars(f"Past due by days, in {currency}", bars))
    return drawn


def _due(report: Forecast) -> Bars:
    calls: Counter[datetime] = Counter()
    for day in report.days_done:
        calls[day.begins] += day.calls if day.account != ALL_ACCOUNTS else 0
    days = [
        Measured(f"{at:%a} {at.day} {at:%b}", count, f"{count} charges and retries")
        for at, count in sorted(calls.items())
    ]
    return Bars("Charges and retries a day", days)


def _queue(report: Forecast) -> str:
    """Whether Amazon's limit lets it through in time, in a sentence."""
    longest = max((each.longest_wait for each in report.days_done), default=timedelta(0))
    if not report.days_done:
        return "Nothing falls due."
    rate = f"{report.quota.per_second:g} charges a second"
    if not longest:
        return f"Amazon's limit ({rate}) carries it: nobody waits."
    return f"At Amazon's limit ({rate}) the longest that anybody waits for their turn is {waited(longest)}."


def _recovered(report: RecoveryReport) -> list[Bars]:
    return [
        Bars(
            f"{of.all.refused.count} periods were not collected at once, in {of.currency}: {of.all.rate:.0%} recovered",
            [
                Measured(outcome.value, each.count, f"{each.count}, {each.amount}" if each.count else "none")
                for outcome, each in of.all.outcomes.items()
            ],
        )
        for of in report.currencies
    ]


async def _checks(services: Services) -> list[Check]:
    client, settings, ledger = services.reach.client, services.settings, services.ledger

    async def books() -> Sequence[Check]:
        await ledger.check_version()
        return [Check(name=LEDGER, state=State.DONE, found=f"{ledger.place}: its tables are this release's")]

    async def attributes() -> Sequence[Check]:
        return [temporal.reached(client.namespace), temporal.search_attributes(await asking.attributes_of(client))]

    async def workers() -> Sequence[Check]:
        return [temporal.workers(await asking.polled(client, settings))]

    async def releases() -> Sequence[Check]:
        return [temporal.releases(await Deployments(client, settings.deployment_name, settings.task_queue).look())]

    async def workflows() -> Sequence[Check]:
        found = await asking.counted(client)
        return [each(found) for each in (temporal.failing, temporal.paused, temporal.stopped, temporal.overdue)]

    async def amazon() -> Sequence[Check]:
        return [await _amazon(services)]

    looks = [
        Look((LEDGER,), books, ANSWERS_WITHIN_SECONDS),
        Look((temporal.REACHED, temporal.ATTRIBUTES), attributes, ANSWERS_WITHIN_SECONDS),
        Look((temporal.WORKERS,), workers, ANSWERS_WITHIN_SECONDS),
        Look((temporal.RELEASES,), releases, ANSWERS_WITHIN_SECONDS),
        Look(
            (temporal.FAILING, temporal.PAUSED, temporal.STOPPED, temporal.OVERDUE), workflows, ANSWERS_WITHIN_SECONDS
        ),
        Look((AMAZON,), amazon, 2 * ANSWERS_WITHIN_SECONDS),
    ]
    return [each async for each in looked_at(looks)]


async def _amazon(services: Services) -> Check:
    """Whether Amazon answers what is signed with the account's key: one read of an object that nobody has."""
    if services.accounts is None:
        return Check(
            name=AMAZON, state=State.NOT_TRIED, found="the console has no keys of Amazon Pay", is_mandatory=False
        )
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_SECONDS):
            await (await services.accounts.of(DEFAULT_ACCOUNT)).client.charge_permissions.get(_NOBODYS)
    except ApiError as error:
        if error.status == 404:  # noqa: PLR2004 - it was believed, and has no such object
            return Check(name=AMAZON, state=State.DONE, found="it answers, and takes the signature")
        found = f"it answers {error.status} {error.reason_code}"
        return Check(
            name=AMAZON,
            state=State.WRONG,
            found=found,
            to_do="`perennial dev --sandbox` and `perennial accounts check` say why",
        )
    except (AmazonPayError, TimeoutError, AccountUnusableError) as error:
        found = str(error) or f"no answer within {ANSWERS_WITHIN_SECONDS:g} s"
        return Check(name=AMAZON, state=State.UNANSWERED, found=found, to_do="see whether this machine reaches it")
    return Check(name=AMAZON, state=State.DONE, found="it answers, and takes the signature")
