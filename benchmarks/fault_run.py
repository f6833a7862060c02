"""Many subscribers live a virtual year while nearly everything fails, and the auditor looks at the end.

    uv run python -m benchmarks.fault_run                        # 300 subscribers, 12 periods
    uv run python -m benchmarks.fault_run --seed 7 --subscribers 20 --periods 3
    uv run python -m benchmarks.fault_run --ledger sqlite        # without PostgreSQL, which is killed as well

Answers are lost after the charge was made, connections are reset, 500, 503 and 429 come instead of answers,
notifications are lost, doubled and late, cards are declined and mended, the worker is killed with SIGKILL, and so are
the Temporal server and the ledger's PostgreSQL; meanwhile merchants ask for every kind of change (`benchmarks.wishes`).
What fails on the wire and in the buyers' wallets, and what is asked for, comes from one seed. When processes are killed
depends on how fast the machine is, so two runs of a seed meet the same faults at different moments.

Each request is asked for until it is answered, and some once more, under the id that it has: if anything were done
twice, the money would not come out even. The exit code is 1 where the audit finds anything, or it does not.
"""

import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from temporalio.service import RPCError

from amazon_pay_simulator.faults import Fault, FaultPlan
from benchmarks.accounts import account_of, differences
from benchmarks.ledgers import missing_of
from benchmarks.postgres import Postgres, postgres, program
from benchmarks.processes import perennial
from benchmarks.wishes import (
    CANCEL,
    KINDS,
    MONTHLY,
    REPLACE,
    Moment,
    Wish,
    about_what_is_authorized,
    about_what_is_owed,
    options_of,
    story_of,
)
from perennial_billing.billing.changes import ReplacePermission, Resolve, ResumeSubscription
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.parts.stages import Stage as StageOfCollection
from perennial_billing.billing.plan import Plan
from perennial_billing.billing.requests import Request
from perennial_billing.billing.status import Status
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.ledger.audits import Selection
from perennial_billing.ledger.audits import begin as begin_audit
from perennial_billing.runtime.logs import configure_logging
from perennial_billing.runtime.settings import Settings
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.sandbox.subscriber import Subscriber
from perennial_billing.sandbox.witness import BooksWitness
from perennial_billing.starter.audit.auditor import Auditor
from perennial_billing.starter.audit.presence import Workflows
from perennial_billing.starter.errors import (
    NotAnsweredError,
    RequestRefusedError,
    SubscriptionEndedError,
    SubscriptionError,
)
from perennial_billing.workflows.messages import CaptureResult, Changed, Outcome, Refunding, Replaced, Resolved, Retried

AT_ONCE: Final = 12
"""Subscribers that are moved through time together: enough to keep two cores busy."""

DECLINES: Final = ("SoftDeclined", "SoftDeclined", "ProcessingFailure", "HardDeclined", "TransactionTimedOut")
DECLINE_SHARE: Final = 0.15
"""Of all attempts."""

NOBODYS_FAULT: Final = "InvalidAccountStatus"
REFUSED_SHARE: Final = 0.01
"""Of all attempts: refused for a reason that is not the buyer's, so that they are held for the merchant."""

FAULTS: Final = {
    Fault.LOST_ANSWER: 0.04,
    Fault.RESET: 0.03,
    Fault.INTERNAL_ERROR: 0.03,
    Fault.UNAVAILABLE: 0.03,
    Fault.THROTTLED: 0.03,
}
DAYS_UNTIL_A_CARD_IS_MENDED: Final = timedelta(days=2)
GRACE: Final = timedelta(days=45)
"""After the last period fell due: longer than any period is collected."""

LONGEST_STEP: Final = timedelta(days=10)
"""Where nothing is to come, as for somebody who is paused."""

ASKED_AGAIN: Final = 0.25
"""The share of answered requests that are asked for once more, as by somebody who has lost the answer."""

CLOSED_BEFORE: Final = 0.5
"""The share of buyers who close their charge permission before they approve another."""

PATIENCE_SECONDS: Final = 300.0
"""Somebody who is not answered for so long has found something."""

SECONDS_WITHOUT_A_DATABASE: Final = 8.0
"""Longer than an activity waits for it, so that notices stay behind."""

TOLD_AGAIN: Final = timedelta(minutes=15)
"""After that what stayed behind has been handed on."""

Answer = TypeVar("Answer")


class Books(StrEnum):
    """Where the ledger is."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


@dataclass
class Figures:
    """What came of a run."""

    seed: int
    subscribers: int
    periods: int
    worker_kills: int = 0
    server_kills: int = 0
    database_kills: int = 0
    ledger: str = ""
    charge_calls: int = 0
    replayed_calls: int = 0
    charges_captured: int = 0
    periods_due: int = 0
    periods_paid: int = 0
    periods_ended_so: dict[str, int] = field(default_factory=dict)
    subscriptions_ended_so: dict[str, int] = field(default_factory=dict)
    captured: str = ""
    refunded: str = ""
    accounted: str = ""
    ledger_entries: int = 0
    audited: int = 0
    asked: dict[str, str] = field(default_factory=dict)
    asked_again: int = 0
    unanswered: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0


class Tally:
    """How often each kind of request was made, and accepted."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.again = 0

    @property
    def in_words(self) -> dict[str, str]:
        """By kind, in the order of the alphabet."""
        return {kind: f"{self.accepted[kind]} of {self.asked[kind]}" for kind in sorted(self.asked)}


async def patiently(ask: Callable[[], Awaitable[Answer]], *, known: bool = False) -> Answer:
    """Asks again while the server or the worker is away.

    Args:
        ask: what is asked.
        known: it was answered before, so the answer is only a matter of time.

    Raises:
        RequestRefusedError: a rule said no.
        SubscriptionEndedError: it has ended.
        NotAnsweredError: it was taken, and what came of it is not known yet.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except (RequestRefusedError, SubscriptionEndedError):
            raise
        except (RPCError, RuntimeError, SubscriptionError) as error:
            taken = isinstance(error, NotAnsweredError) and error.accepted and not known
            if taken or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


@dataclass
class Asking:
    """One request that is not answered for good yet."""

    kind: str
    name: str
    request: Request


class Buyer(Subscriber):
    """One subscriber: a buyer who mends a card when it is needed, and a merchant who asks for this and that.

    Args:
        stage: where it lives.
        terms: what was agreed.
        wishes: what is to be asked for, oldest first.
        of_this_one: turns a plan into one with the options of this subscriber's.
        name: from which everything follows that is thrown for.
        tally: counts what is asked for.
    """

    def __init__(
        self,
        stage: Stage,
        terms: Terms,
        wishes: list[Wish],
        of_this_one: Callable[[Plan], Plan],
        name: str,
        tally: Tally,
    ) -> None:
        super().__init__(stage, terms)
        self.wishes, self._plan, self._name, self._tally = wishes, of_this_one, name, tally
        self.before: list[str] = []
        """The charge permissions that this one took the place of."""
        self.answered: list[tuple[Request, Outcome]] = []
        self.not_answered: list[Asking] = []
        self.differing: list[str] = []
        self._looked_at: set[str] = set()
        self._is_closed = False

    @property
    def charge_permissions(self) -> list[str]:
        """All that were ever charged for it, oldest first."""
        return [*self.before, self.charge_permission_id]

    async def live(self, periods: int, month_passed: Callable[[], object]) -> None:
        """Until so many months are over and nothing is open any more; calls `month_passed` after each of them.

        A skip that the server took before it was killed is asked for again, and goes further by as much.
        """
        schedule = self.terms.schedule
        ends = schedule.due(periods)
        told = 0
        subscription = await self._look()
        while not subscription.has_ended:
            now = await patiently(self.now)
            while told < min(schedule.periods_due(now), periods):
                told += 1
                month_passed()
            subscription = await self._asks_what_is_due(subscription, now)
            if subscription.has_ended or (now > ends and await self._is_settled(subscription)) or now > ends + GRACE:
                break
            subscription = await self._goes_on(subscription, now, ends)
        for _ in range(periods - told):
            month_passed()

    async def _goes_on(self, subscription: SubscriptionView, now: datetime, ends: datetime) -> SubscriptionView:
        """To what happens next, or is asked for next; a buyer who is waited for comes before that."""
        owed = subscription.owed
        waited_for = {StageOfCollection.AWAITING_PAYMENT_METHOD, StageOfCollection.UNPAID}
        if owed is not None and owed.stage in waited_for and not self._is_closed:
            # To instants, not by durations: what is asked again after an outage must not go further.
            subscription = await self._moved(now + DAYS_UNTIL_A_CARD_IS_MENDED)
            if subscription.has_ended or self._is_closed:
                return subscription
            await self.stage.simulator.mend_payment_method(self.charge_permission_id, await patiently(self.now))
            # The notification may be lost: the workflow then looks by itself within a day.
            return await self._moved(now + DAYS_UNTIL_A_CARD_IS_MENDED + timedelta(days=1, hours=1))
        to_come = [subscription.next.at if subscription.next else now + LONGEST_STEP]
        to_come += [self.wishes[0].at] if self.wishes else []
        to_come += [ends] if now < ends else []
        return await self._moved(min(to_come))

    async def _moved(self, instant: datetime) -> SubscriptionView:
        async def moved() -> SubscriptionView:
            subscription = await self.status()
            return subscription if subscription.has_ended else await self.until(instant)

        return await self._followed(await patiently(moved))

    async def _look(self) -> SubscriptionView:
        return await self._followed(await patiently(self.quiet))

    async def _followed(self, subscription: SubscriptionView) -> SubscriptionView:
        """How it stands, under the charge permission that it goes on under."""
        while subscription.status is Status.REPLACED and subscription.successor is not None:
            self.before.append(self.charge_permission_id)
            terms = self.terms.but(charge_permission_id=subscription.successor)
            super().__init__(self.stage, terms)
            self._is_closed = False
            subscription = await patiently(self.quiet)
        return subscription

    # What the merchant asks for

    async def _asks_what_is_due(self, subscription: SubscriptionView, now: datetime) -> SubscriptionView:
        """How it stands after everything that is to be asked for now."""
        for asking in list(self.not_answered):
            await self._ask(asking)
            subscription = await self._look()
        for wish in list(self.wishes):
            if wish.at > now or subscription.has_ended:
                break
            self.wishes.remove(wish)
            await self._asks(wish, Moment(now, subscription, self._plan))
            subscription = await self._look()
        asked = self._tally.asked.total()
        if not subscription.has_ended:
            await self._asks_what_is_called_for(subscription)
        return subscription if self._tally.asked.total() == asked else await self._look()

    async def _asks(self, wish: Wish, moment: Moment) -> None:
        if wish.kind == CANCEL:
            self._tally.asked[CANCEL] += 1
            reason = "changed their mind"
            await patiently(lambda: self.stage.subscriptions.cancel(self.charge_permission_id, reason))
            self._tally.accepted[CANCEL] += 1
        elif wish.kind == REPLACE:
            if self._dice(wish.name).random() < CLOSED_BEFORE and not self._is_closed:
                self._is_closed = True
                await self.stage.simulator.close_by_buyer(self.charge_permission_id, moment.now)
                await patiently(self.quiet)
            permission = await self.stage.simulator.open_permission(at=moment.now)
            successor = ReplacePermission(charge_permission_id=permission.charge_permission_id)
            await self._ask(Asking(REPLACE, wish.name, successor), is_new=True)
        else:
            await self._ask(Asking(wish.kind, wish.name, KINDS[wish.kind].make(moment)), is_new=True)

    async def _asks_what_is_called_for(self, subscription: SubscriptionView) -> None:
        """What nobody asks for who sees that all is well; once for each thing that is to be seen."""
        owed = subscription.owed
        if owed is not None and owed.stage is StageOfCollection.ON_HOLD:
            dice = self._dice(f"held-{owed.period}-{owed.attempts}")
            gives_up = dice.random() < 0.3  # noqa: PLR2004 - a share
            request = Resolve(write_off=True) if gives_up else Resolve(new_attempt=True)
            await self._asks_once("resolve", f"held-{owed.period}-{owed.attempts}", request)
        elif owed is not None and subscription.past_due:
            name = f"owed-{owed.period}-{owed.attempts}"
            request_ = about_what_is_owed(self._dice(name), owed.period)
            if request_ is not None:
                await self._asks_once(request_.kind.replace("_", "-"), name, request_)
        for waiting in subscription.to_be_captured:
            name = f"authorized-{waiting.period}"
            request_ = None if waiting.capturing else about_what_is_authorized(self._dice(name), waiting)
            if request_ is not None:
                await self._asks_once("capture", name, request_)

    async def _asks_once(self, kind: str, name: str, request: Request) -> None:
        if name not in self._looked_at:
            self._looked_at.add(name)
            await self._ask(Asking(kind, name, request), is_new=True)

    async def _ask(self, asking: Asking, *, is_new: bool = False) -> None:
        """Asks until it is answered; what Amazon has not answered yet is asked for again later, under the same id."""
        subscriptions, identifier = self.stage.subscriptions, self.charge_permission_id
        if is_new:
            self._tally.asked[asking.kind] += 1
            self.not_answered.append(asking)
        try:
            outcome = await patiently(lambda: subscriptions.ask(identifier, asking.request, asking.name))
        except NotAnsweredError:
            return
        except (RequestRefusedError, SubscriptionEndedError):
            self.not_answered.remove(asking)
            return
        self.not_answered.remove(asking)
        self._tally.accepted[asking.kind] += 1
        self.answered.append((asking.request, outcome))
        if self._dice(f"again-{asking.name}").random() < ASKED_AGAIN:
            await self._ask_again(identifier, asking, outcome)

    async def _ask_again(self, identifier: str, asking: Asking, first: Outcome) -> None:
        """The same once more: by its id, or by the merchant's own name for it."""
        name = f"{asking.name}-again" if asking.request.references else asking.name
        self._tally.again += 1
        try:
            outcome = await patiently(
                lambda: self.stage.subscriptions.ask(identifier, asking.request, name), known=True
            )
        except (RequestRefusedError, SubscriptionEndedError) as error:
            self.differing.append(f"{asking.name}: was answered, and when it was asked again: {error}")
            return
        if told(outcome) != told(first):
            self.differing.append(f"{asking.name}: first {told(first)}, then {told(outcome)}")

    async def _is_settled(self, subscription: SubscriptionView) -> bool:
        """Whether nothing is open any more; somebody who owes does not stay paused for ever."""
        if subscription.owed is not None and subscription.pause is not None:
            await self._asks_once("resume", f"resume-{subscription.owed.period}", ResumeSubscription())
        refunding = any(refund.settled_at is None for refund in subscription.refunds)
        waits = subscription.owed or subscription.to_be_captured or subscription.awaits_checkout_until
        return not (waits or refunding or subscription.unanswered or self.not_answered)

    def _dice(self, name: str) -> random.Random:
        return random.Random(f"{self._name}/{name}")  # noqa: S311 - repeatable on purpose


def told(outcome: Outcome) -> object:
    """What an answer says for good; what happens next may be told otherwise a moment later."""
    match outcome:
        case Changed():
            return outcome.effective_at
        case Refunding():
            return outcome.refund.number
        case CaptureResult() | Resolved():
            return outcome.charge_id
        case Replaced():
            return outcome.charge_permission_id
        case Retried():
            return "retried"
        case _:
            return outcome


async def begin(house: Stage, rng: random.Random, periods: int, name: str, tally: Tally) -> Buyer:
    """A buyer approves, and the merchant starts the subscription."""
    permission = await house.simulator.open_permission()
    script = [_scripted(rng) for _ in range(3 * periods)]
    await house.simulator.script(permission.charge_permission_id, script)
    of_this_one = options_of(rng)
    terms = Terms(
        charge_permission_id=permission.charge_permission_id,
        plan=of_this_one(MONTHLY),
        anchor=datetime.now(UTC) + timedelta(minutes=30),
        zone=rng.choice(("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")),
    )
    wishes = story_of(rng, terms.anchor, terms.schedule.due(periods))
    await house.subscriptions.start(terms)
    return Buyer(house, terms, wishes, of_this_one, name, tally)


def _scripted(rng: random.Random) -> str | None:
    thrown, decline = rng.random(), rng.choice(DECLINES)
    if thrown < REFUSED_SHARE:
        return NOBODYS_FAULT
    return decline if thrown < REFUSED_SHARE + DECLINE_SHARE else None


@dataclass(frozen=True)
class Kills:
    """How often each kind of process is killed."""

    workers: int
    servers: int
    databases: int


class Killer:
    """Keeps a worker running, and kills it, the server and the ledger's database at moments spread over the run."""

    def __init__(
        self, house: Stage, figures: Figures, rng: random.Random, kills: Kills, database: Postgres | None
    ) -> None:
        self._house = house
        self._figures = figures
        self._database = database
        deeds = ["worker"] * kills.workers + ["server"] * kills.servers
        deeds += ["database"] * kills.databases if database else []
        rng.shuffle(deeds)
        self._deeds = deeds
        self._moments = sorted(rng.random() for _ in deeds)
        self._progress = 0.0
        self._nothing_left = asyncio.Event()

    def moves_on(self, share: float) -> None:
        """So much more of the run is done."""
        self._progress += share

    async def finish(self) -> None:
        """Does what is left to do; nothing is killed after that."""
        self._progress = 1.0
        await self._nothing_left.wait()

    async def run(self) -> None:
        """Until it is cancelled."""
        environment = {"PERENNIAL_LOG_LEVEL": "ERROR", **self._house.worker_environment()}
        while True:
            async with perennial("worker", environment=environment) as worker:
                await self._until_a_worker_has_to_die(worker)

    async def _until_a_worker_has_to_die(self, worker: asyncio.subprocess.Process) -> None:
        while worker.returncode is None:
            await asyncio.sleep(0.1)
            if not self._moments:
                self._nothing_left.set()
            if not self._moments or self._progress < self._moments[0]:
                continue
            self._moments.pop(0)
            deed = self._deeds.pop(0)
            if deed == "server":
                await self._house.server.crash()
                self._figures.server_kills += 1
            elif deed == "database" and self._database is not None:
                await self._database.kill()
                await asyncio.sleep(SECONDS_WITHOUT_A_DATABASE)
                await self._database.start_again()
                self._figures.database_kills += 1
            else:
                worker.send_signal(signal.SIGKILL)
                self._figures.worker_kills += 1
                return


async def fault_run(
    seed: int, subscribers: int, periods: int, kills: Kills, console: Console, *, with_postgres: bool
) -> Figures:
    """Runs it all; gives the figures and what the audit found."""
    started = time.monotonic()
    figures, tally = Figures(seed=seed, subscribers=subscribers, periods=periods), Tally()
    figures.ledger = "postgresql" if with_postgres else "sqlite"
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    plan = FaultPlan(
        seed=seed, requests=FAULTS, lost_notifications=0.1, doubled_notifications=0.1, late_notifications=0.1
    )
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="perennial-faults-"))
        database = await stack.enter_async_context(postgres(outlives=True)) if with_postgres else None
        ledger_url = database.url(database.create()) if database else None
        async with stage(with_worker=False, database=Path(folder) / "temporal.sqlite", ledger_url=ledger_url) as house:
            buyers = [await begin(house, rng, periods, f"{seed}/{each}", tally) for each in range(subscribers)]
            await house.simulator.set_faults(plan)
            killer = Killer(house, figures, rng, kills, database)
            killing = asyncio.create_task(killer.run())
            try:
                await _live_all(buyers, periods, killer, console)
                await killer.finish()
                figures.faults = await house.simulator.faults()
                await house.simulator.set_faults(FaultPlan())
                await audit_of(house, buyers, figures)
            finally:
                killing.cancel()
                with suppress(asyncio.CancelledError):
                    await killing
    figures.asked, figures.asked_again = tally.in_words, tally.again
    figures.seconds = round(time.monotonic() - started, 1)
    return figures


async def _live_all(buyers: list[Buyer], periods: int, killer: Killer, console: Console) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        total = len(buyers) * periods
        task = progress.add_task("periods", total=total)

        def settled() -> None:
            progress.advance(task)
            killer.moves_on(1 / total)

        async def live(buyer: Buyer) -> None:
            async with places:
                await buyer.live(periods, settled)

        async with asyncio.TaskGroup() as group:
            for buyer in buyers:
                group.create_task(live(buyer))


async def _all_told(subscriber: Subscriber) -> SubscriptionView:
    """What stayed behind while the database was away is handed on, which takes its time, also by one that has ended."""
    subscription = await patiently(subscriber.quiet)
    if subscription.notices_waiting:
        subscription = await patiently(partial(subscriber.after, TOLD_AGAIN))
    return subscription


async def audit_of(house: Stage, buyers: Sequence[Buyer], figures: Figures) -> None:
    """Looks at all that became of them: the auditor, and the sums of money on both sides."""
    by_permission = {identifier: buyer for buyer in buyers for identifier in buyer.charge_permissions}
    books = await house.simulator.books()
    periods: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    captured, refunded, accounted = Decimal(0), Decimal(0), Decimal(0)
    for buyer in buyers:
        for identifier in buyer.before:
            await _all_told(Subscriber(house, buyer.terms.but(charge_permission_id=identifier)))
        subscription = await _all_told(buyer)
        periods.update(record.outcome.value for record in subscription.ledger)
        periods["owed"] += subscription.owed is not None
        ends[subscription.status.value] += 1
        figures.unanswered += len(buyer.not_answered)
        account = account_of(buyer.charge_permissions, subscription, books)
        captured, refunded, accounted = (
            captured + account.captured,
            refunded + account.refunded,
            accounted + account.accounted,
        )
        entries, missing = await missing_of(house.ledger, buyer.charge_permissions, subscription, books)
        figures.ledger_entries += entries
        wrong = [*buyer.differing, *differences(account, buyer.answered, whole=not buyer.not_answered), *missing]
        figures.findings += [f"{buyer.charge_permission_id}: {each}" for each in wrong]
    figures.periods_due, figures.periods_paid = periods.total(), periods["paid"]
    figures.periods_ended_so, figures.subscriptions_ended_so = dict(sorted(periods.items())), dict(sorted(ends.items()))
    figures.captured, figures.refunded, figures.accounted = str(captured), str(refunded), str(accounted)

    async def virtual_time(charge_permission_id: str) -> datetime:
        buyer = by_permission.get(charge_permission_id)
        return await patiently(buyer.now) if buyer is not None else datetime.now(UTC)

    figures.charge_calls = len(books.calls)
    figures.replayed_calls = sum(call.replayed for call in books.calls)
    figures.charges_captured = sum(charge.status_details.state == "Captured" for charge in books.charges)
    witness = BooksWitness(books)
    workflows = Workflows(house.client, house.subscriptions)
    auditor = Auditor(house.ledger, workflows, witness=witness, time_of=virtual_time)
    async for audited in auditor.audit(await begin_audit(house.ledger, Selection())):
        identifier = audited.charge_permission_id
        figures.audited += 1
        figures.findings += [f"{identifier}: {finding.rule}: {finding.says}" for finding in audited.findings]
        figures.findings += [f"{identifier}: not audited: {audited.trouble}"] if audited.trouble else []


def main(
    seed: Annotated[int, typer.Option(help="Of every fault.")] = 1,
    subscribers: Annotated[int, typer.Option(min=1)] = 300,
    periods: Annotated[int, typer.Option(min=1)] = 12,
    worker_kills: Annotated[int, typer.Option(min=0)] = 10,
    server_kills: Annotated[int, typer.Option(min=0)] = 2,
    database_kills: Annotated[int, typer.Option(min=0, help="Of PostgreSQL, where the ledger is in it.")] = 2,
    ledger: Annotated[
        Books | None, typer.Option(help="Where the ledger is; in PostgreSQL when not given, where it is installed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Lets subscribers live under faults, and audits them."""
    configure_logging(Settings(log_level="ERROR"))
    console, kills = Console(stderr=True), Kills(worker_kills, server_kills, database_kills)
    is_installed = program("postgres") is not None
    if ledger is Books.POSTGRESQL and not is_installed:
        raise typer.BadParameter("PostgreSQL is not installed: install it, or --ledger sqlite")
    with_postgres = is_installed and ledger is not Books.SQLITE
    figures = asyncio.run(fault_run(seed, subscribers, periods, kills, console, with_postgres=with_postgres))
    if as_json:
        sys.stdout.write(json.dumps(asdict(figures)) + "\n")
    else:
        table = Table("Figure", "Value", title="Fault run")
        for name, value in asdict(figures).items():
            table.add_row(name.replace("_", " "), json.dumps(value) if isinstance(value, dict | list) else str(value))
        Console().print(table)
    raise typer.Exit(1 if figures.findings else 0)


if __name__ == "__main__":
    typer.run(main)
