"""What a subscription's workflow does, from one run to the next.

It performs what the rules want next, reports what came of it, and sleeps until the next instant. What is done next is
decided in `billing`, how it is done stands in `workflows.performing`.

What fired decides, not what is reckoned anew: an instant that is waited for always has a timer, however late it is, and
the timer that fired is the event. So a release that reckons dates otherwise replays what happened as it happened.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError

from perennial_billing.activities.signatures import Announcement, NoticeActivities, Standing
from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import gets_dearer
from perennial_billing.billing.couplings.ending import begun_elsewhere
from perennial_billing.billing.lives import brought_together
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.ledger import PeriodRecord
from perennial_billing.billing.plan.monthly_limit import check_monthly_limit
from perennial_billing.billing.protocol.answers import DisputeAnswer, PermissionAnswer, RefundAnswer, SuccessorAnswer
from perennial_billing.billing.protocol.commands import (
    Action,
    Command,
    CreateCharge,
    Elapse,
    ReadPermission,
    StartSuccessor,
)
from perennial_billing.billing.protocol.events import (
    Answered,
    CancelAsked,
    Event,
    HandedOn,
    LedgerIsAhead,
    NotHandedOn,
    Refresh,
    Started,
)
from perennial_billing.billing.protocol.moment import Moment
from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.protocol.recollection import Recalled, Recollection
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import digest_of
from perennial_billing.billing.requests import NOBODY, Asker, Request
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.summary import Summary
from perennial_billing.billing.view import view_of
from perennial_billing.workflows import counting
from perennial_billing.workflows.display import (
    details,
    initial_search_attributes,
    search_attribute_updates,
    static_summary,
)
from perennial_billing.workflows.memo import initial_memo
from perennial_billing.workflows.messages import Answer, CancelRequest, NotificationSignal, Refusal
from perennial_billing.workflows.names import SUBSCRIPTION_WORKFLOW, in_summary, workflow_id
from perennial_billing.workflows.outcomes import outcome_of
from perennial_billing.workflows.performing import ledger_ahead_of, perform
from perennial_billing.workflows.recalling import kept_state, recall, told_beyond
from perennial_billing.workflows.releases import another_takes_over, go_on

PERIODS_PER_RUN: Final = 13
"""A year of monthly periods and the one that closes it. A wake after a month replays the run, so runs stay short; the
next one carries the whole state."""

LONGEST_RUN: Final = timedelta(days=360)
"""Where periods are long: one of a year goes on as new at each of its dates. It is looked at between two commands only,
so that the thirteenth month is this run's still."""

REFUSED: Final = "Refused"
"""The type of the error when a rule says no to a request; its details are a `Refusal`."""

_AGREES_FIRST: Final = "agrees-before-requests"
"""The patch since which the ledger is compared before a request is taken."""

_NOTHING_KEPT: Final = (
    "it knows more of the subscription, and has kept no state of it, as that was told to an older release: look at "
    "`perennial timeline` and Seller Central, terminate the workflow, and begin anew by `perennial start --new-life`"
)

_LIMIT_TIMEOUT: Final = timedelta(seconds=8)
"""Less than a caller waits for an update."""

ANNOUNCE_TIMEOUT: Final = timedelta(seconds=5)
ANNOUNCE_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3)
"""A local activity holds up its workflow task, so it gives up soon."""

TELL_AGAIN_AFTER: Final = timedelta(minutes=10)
"""How soon notices that could not be handed on are tried again, where nothing else happens before."""

_SHORTEST_WAIT: Final = timedelta(milliseconds=1)
"""What is late is waited for as well, for no time: its timer is what says that it has come."""


class Said(NamedTuple):
    """What somebody said to the workflow: what it means, and the signal that says so."""

    event: CancelAsked | Refresh
    signal: str
    arguments: Sequence[CancelRequest | NotificationSignal]


class Life:
    """One run of one subscription.

    Args:
        subscription: as it stands when the run begins.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self._first_period, self._revision = subscription.next_period, subscription.contract.revision
        self._began_at = workflow.now()
        self._dates_are_old = False
        self._rests = False
        self._is_brought_back = False
        self._starts_successor = False
        self._canceled: CancelAsked | None = None
        self._due: datetime | None = None

    async def live(self) -> None:
        """Goes on until the subscription has ended, or the run continues as new."""
        self.happened(Started())
        while not self._is_over:
            await self._live_on()
            await self._tell_the_rest()
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._show()

    async def _live_on(self) -> None:
        while not self._is_over:
            await self._tell_merchant()
            self._continue_as_new_when_long()
            command = next_command(self.subscription)
            if command is None or (self.subscription.outbox.is_full and not command.at_once):
                await self._news(command)
            elif command.at_once or await self._has_come(command):
                self.happened(await self._perform(command))

    @property
    def _is_over(self) -> bool:
        """Whether it has ended, and the ledger knows of nothing else."""
        return self.subscription.has_ended and self.subscription.divergence is None

    def happened(self, event: Event) -> None:
        """Takes what happened."""
        self.subscription = apply(self.subscription, event, workflow.now())

    async def said(self, said: Said) -> None:
        """Takes what somebody says. As soon as it goes on under another charge permission, that is said there."""
        if isinstance(said.event, CancelAsked):
            self._canceled = self._canceled or said.event
        if self._starts_successor:
            await workflow.wait_condition(lambda: not self._starts_successor)
        elsewhere = self.subscription.lifecycle.goes_on_under
        if elsewhere is None or self.subscription.divergence is not None:
            self.happened(said.event)
            return
        try:
            await workflow.get_external_workflow_handle(workflow_id(elsewhere)).signal(said.signal, args=said.arguments)
        except FailureError:
            workflow.logger.warning("the successor has ended", extra={"signal": said.signal})

    # Requests

    def check(self, request: Request) -> None:
        """Tries a request. None is taken while the outbox is full, as each is told of.

        Raises:
            ApplicationError: of type `Refused`.
        """
        waiting = self.subscription.outbox
        with refusing():
            if waiting.is_full:
                why = f"none is before the {len(waiting.notices)} notices that wait can be handed on; ask again later"
                raise Refused("request", request.kind, why, Kind.NOT_NOW)
            if request.looks_up(self.subscription) is not None:
                return  # it cannot be tried before that is known
        self._asked(request, request_id())

    async def answer(self, request: Request, asker: Asker) -> Answer:
        """Takes a request, and answers what came of it so far.

        Where a charge is to cost more than any to come did, the charge permission's monthly limit is read before.

        Raises:
            ApplicationError: of type `Refused`; nothing was changed.
        """
        identifier = request_id()
        if workflow.patched(_AGREES_FIRST):
            await self._compare()
        await self._look_up(request)
        after = self._asked(request, identifier, asker)
        if gets_dearer(self.subscription, after):
            limit = await self._monthly_limit()
            after = self._asked(request, identifier, asker)  # of what has become of it meanwhile
            with refusing():
                check_monthly_limit(after.most_to_come, limit)
        self.subscription = after
        self._show()  # nothing else may have news of it before the next command
        return Answer(outcome=outcome_of(self.subscription, identifier), wish=digest_of(request))

    async def _compare(self) -> None:
        """Looks whether the ledger knows more, before anything is promised on what is known here."""
        told = await told_beyond(self._standing)
        if told is not None and told > self.subscription.outbox.told:
            self.happened(LedgerIsAhead(told))

    async def agree(self, asker: Asker) -> None:
        """Goes on with what the ledger has kept, where that is more than is known here.

        Raises:
            ApplicationError: of type `Refused`; nothing was changed.
        """
        try:
            kept = await kept_state(self._standing)
        except FailureError:
            with refusing():
                raise Refused("ledger", "", "it cannot be read now: ask again later", Kind.NOT_NOW) from None
        if self.subscription.divergence is None and kept.told <= self.subscription.outbox.told:
            return
        if kept.subscription is None:
            with refusing():
                raise Refused("ledger", "", _NOTHING_KEPT, Kind.NOT_NOW)
        self.happened(LedgerIsAhead(kept.last))
        await workflow.wait_condition(lambda: self._rests or self.subscription.divergence is None)
        if self.subscription.divergence is not None:
            self.subscription = brought_together(
                self.subscription, kept.subscription, kept.last, workflow.now(), asker, self._canceled
            )
            self._is_brought_back = True

    @property
    def _standing(self) -> Standing:
        terms, outbox = self.subscription.terms, self.subscription.outbox
        return Standing(charge_permission_id=terms.charge_permission_id, told=outbox.told, moment=self._moment)

    @property
    def _moment(self) -> Moment:
        info = workflow.info()
        return Moment(run=info.run_id, before=info.continued_run_id, length=info.get_current_history_length())

    async def _look_up(self, request: Request) -> None:
        """Recalls what a request is about and the subscription does not remember; so it may be about any charge."""
        wanted = request.looks_up(self.subscription)
        if wanted is None:
            return
        try:
            recalled = await recall(wanted)
        except FailureError:
            with refusing():
                why = "the ledger, which knows older charges, cannot be read now: ask again later"
                raise Refused("ledger", "", why, Kind.NOT_NOW) from None
        self._recalling(recalled)

    def _recalling(self, recalled: Recalled) -> None:
        ledger = self.subscription.ledger.recalling(map(PeriodRecord.recalled, recalled.charges))
        self.subscription = self.subscription.but(ledger=ledger)

    def _asked(self, request: Request, request_id: str, asker: Asker = NOBODY) -> Subscription:
        with refusing():
            return ask(self.subscription, request, workflow.now(), (request_id,), asker)

    async def _monthly_limit(self) -> Money | None:
        """What the charge permission may be charged in a calendar month; somebody waits for the answer."""
        identifier, now = self.subscription.terms.charge_permission_id, workflow.now()
        why = "What may be charged in a calendar month?"
        read = ReadPermission(charge_permission_id=identifier, at=now, at_once=True, urgent=True, why=why)
        match await perform(read, self.subscription.terms.merchant_account, within=_LIMIT_TIMEOUT):
            case Answered(answer=PermissionAnswer(monthly_limit=limit)):
                return limit
        with refusing():
            why = "Amazon did not say what may be charged in a calendar month; try it again in a while"
            raise Refused("amount", "", why, Kind.NOT_NOW)

    # What it does

    async def _has_come(self, command: Command) -> bool:
        """Sleeps until a command's time; False where somebody has news before."""
        summary = in_summary(f"Until {command.at:%Y-%m-%d %H:%M} UTC: {command.why}")
        try:
            await self._news(command, max(command.at - workflow.now(), _SHORTEST_WAIT), summary)
        except TimeoutError:
            return True
        return False

    async def _news(self, command: Command | None, within: timedelta | None = None, summary: str | None = None) -> None:
        """Sleeps until something else is to be done than `command`, something is to be told, or the run is long.

        Notices that could not be handed on have a timer of their own, as what fired decides what is done.

        Raises:
            TimeoutError: the time is over.
        """
        self._show()
        slept, told = self.subscription, self.subscription.outbox.told
        self._rests = slept.divergence is not None
        waits = slept.outbox.notices and not self._rests
        again = asyncio.create_task(self._until_told_again()) if waits else None

        def is_there() -> bool:
            now = self.subscription
            if now is not slept and (now.outbox.told != told or next_command(now) != command):
                return True
            # Signals that lead to no step make a history long, too.
            return self._continues_as_new or (again is not None and again.done())

        try:
            await workflow.wait_condition(is_there, timeout=within, timeout_summary=summary)
        finally:
            self._rests = False
            if again is not None:
                again.cancel()

    async def _perform(self, command: Command) -> Event:
        if isinstance(command, StartSuccessor):
            return Answered(command, await self._start_successor())
        if command.until_answered:
            self._show()  # it may take days, and nobody sees it by a sleep of the workflow
        account = self.subscription.terms.merchant_account
        event = await perform(command, account, standing=self._standing)
        while isinstance(event, LedgerIsAhead) and event.told <= self.subscription.outbox.told:
            event = await perform(command, account, standing=self._standing)  # it has told more since it was sent
        self._count(command, event)
        if isinstance(event, Answered) and isinstance(event.answer, RefundAnswer | DisputeAnswer):
            await self._recall_charge(event.answer.charge_id)
        return event

    def _count(self, command: Command, event: Event) -> None:
        """Of a charge that was waited for, how late it is."""
        if isinstance(command, Elapse):
            self._due = command.at if command.action is Action.CHARGE else None
        elif isinstance(event, Answered):
            counting.answered(command, event.answer, self.subscription.terms.merchant_account, self._due)
            if isinstance(command, CreateCharge):
                self._due = None

    async def _recall_charge(self, charge_id: str | None) -> None:
        """Of which period a charge was that Amazon tells of, where that is longer ago than is remembered."""
        ledger, terms = self.subscription.ledger, self.subscription.terms
        forgets = len(ledger.records) < ledger.next_period - ledger.joined_with
        if charge_id is None or not forgets or ledger.of_charge(charge_id) is not None:
            return
        try:
            wanted = Recollection(charge_permission_id=terms.charge_permission_id, charge_id=charge_id)
            self._recalling(await recall(wanted))
        except FailureError:
            workflow.logger.warning("the ledger cannot be read now", extra={"charge_id": charge_id})

    async def _start_successor(self) -> SuccessorAnswer:
        """Starts the same subscription under its new charge permission; its end here stands in the same history."""
        successor, self._starts_successor = begun_elsewhere(self.subscription, workflow.now()), True
        try:
            await workflow.start_child_workflow(
                SUBSCRIPTION_WORKFLOW,
                successor,
                id=workflow_id(successor.terms.charge_permission_id),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=initial_search_attributes(successor),
                static_summary=static_summary(successor.terms),
                memo=initial_memo(successor.terms),
            )
        except WorkflowAlreadyStartedError:
            return SuccessorAnswer(started=False)
        finally:
            self._starts_successor = False
        return SuccessorAnswer(started=True)

    async def _tell_merchant(self) -> None:
        """Hands on what is new, so many at a time. Where that is not possible, the outbox keeps it for later.

        A local activity: it only starts deliveries on the same Temporal server, and costs a single event.
        """
        while (notices := self.subscription.outbox.first) and self.subscription.divergence is None:
            terms = self.subscription.terms
            announcement = Announcement(
                charge_permission_id=terms.charge_permission_id,
                merchant_reference=terms.merchant_reference,
                plan_id=self.subscription.plan.plan_id,
                notices=notices,
                rules=self.subscription.contract.written.rules,
                merchant_account=terms.merchant_account,
                summary=Summary.of(self.subscription),
                state=self.subscription.model_dump_json(exclude_none=True),
                moment=self._moment,
            )
            try:
                stale = await workflow.execute_local_activity_method(
                    NoticeActivities.announce,
                    announcement,
                    start_to_close_timeout=ANNOUNCE_TIMEOUT,
                    retry_policy=ANNOUNCE_RETRY,
                    summary=_kinds_of(notices),
                )
            except FailureError as error:  # a local activity's is not always an ActivityError
                ahead = ledger_ahead_of(error)
                if ahead is not None:
                    self.happened(LedgerIsAhead(ahead))
                    return
                waiting = len(self.subscription.outbox.notices)
                workflow.logger.warning("notices could not be handed on yet", extra={"waiting": waiting})
                self.happened(NotHandedOn())
                return
            self._dates_are_old = self._dates_are_old or bool(stale)
            self.happened(HandedOn([notice.number for notice in notices]))

    async def _tell_the_rest(self) -> None:
        """Hands on the last notices: as nothing follows an ended subscription, it does not leave before that."""
        await self._tell_merchant()
        while (waiting := len(self.subscription.outbox.notices)) and self.subscription.divergence is None:
            self._show()
            workflow.logger.warning("it has ended, and stays until all is told", extra={"waiting": waiting})
            self._continue_as_new_when_long()
            await self._until_told_again()
            await self._tell_merchant()

    async def _until_told_again(self) -> None:
        waiting = len(self.subscription.outbox.notices)
        await workflow.sleep(TELL_AGAIN_AFTER, summary=f"Until {waiting} notices are tried again")

    @property
    def _continues_as_new(self) -> bool:
        """Whether it goes on as a new run, whose input holds the dates that it will act on.

        That is so after a year of months, where Temporal finds the history long or another release takes
        over, and also where dates were reckoned in this run, as the plan was changed, or are to be reckoned anew, as
        the zones' rules have changed. A request under way is not waited for: it may be waiting for this run's next
        step. The run goes on, and looks again then.
        """
        periods = self.subscription.next_period - self._first_period
        reckoned = self.subscription.contract.revision != self._revision
        old = self._dates_are_old and self.subscription.collection is None
        long = periods >= PERIODS_PER_RUN or workflow.info().is_continue_as_new_suggested()
        return (
            long or reckoned or old or self._is_brought_back or another_takes_over()
        ) and workflow.all_handlers_finished()

    def _continue_as_new_when_long(self) -> None:
        has_lasted = workflow.now() - self._began_at >= LONGEST_RUN and workflow.all_handlers_finished()
        if self._continues_as_new or has_lasted:
            self._show()
            go_on(self.subscription.carried_on())

    # How it looks

    def _show(self) -> None:
        """Brings search attributes and details up to date; costs an event only where an attribute changed."""
        view = view_of(self.subscription)
        workflow.set_current_details(details(view))
        updates = search_attribute_updates(view, workflow.info().typed_search_attributes)
        if updates:
            workflow.upsert_search_attributes(updates)


def request_id() -> str:
    """The id of the update under way, by which asking again is recognised."""
    update = workflow.current_update_info()
    if update is None:
        raise AssertionError("a request came outside of an update")
    return update.id


def _kinds_of(notices: Sequence[Notice]) -> str:
    """One line on what is told, however much it is."""
    counted = Counter(notice.type.value for notice in notices)
    return in_summary(", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counted.items()))


@contextmanager
def refusing() -> Iterator[None]:
    """What a rule refuses in here is told to whoever asks."""
    try:
        yield
    except Refused as refused:
        raise ApplicationError(str(refused), Refusal.of(refused), type=REFUSED, non_retryable=True) from None
