"""What a subscription's workflow does, from one run to the next.

It performs what the rules want next, reports what came of it, and sleeps until the next instant. What is done next is
decided in `billing`, how it is done stands in `workflows.performing`.

What fired decides, not what is reckoned anew: an instant that is waited for always has a timer, however late it is, and
the timer that fired is the event. So a release that reckons dates otherwise replays what happened as it happened.
"""

from datetime import timedelta
from typing import Any, Final, NamedTuple

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, WorkflowAlreadyStartedError

from activities.signatures import AmazonPayActivities, Announcement, NoticeActivities, ReadPermission
from billing.agenda import next_command
from billing.changes import dearest_charge
from billing.couplings.ending import continued
from billing.machine import apply, ask
from billing.money import Money
from billing.plan.monthly_limit import check_monthly_limit
from billing.protocol.answers import SuccessorAnswer
from billing.protocol.commands import Command, StartSuccessor
from billing.protocol.events import Answered, CancelAsked, Event, HandedOn, Refresh, Started
from billing.refusals import Kind, Refused
from billing.register import digest_of
from billing.requests import Request
from billing.subscription import Subscription
from billing.view import view_of
from workflows.display import details, initial_search_attributes, search_attribute_updates, static_summary
from workflows.memo import initial_memo
from workflows.messages import Answer, CancelRequest, NotificationSignal, Refusal
from workflows.names import SUBSCRIPTION_WORKFLOW, Call, call_queue, workflow_id
from workflows.outcomes import outcome_of
from workflows.performing import perform

PERIODS_PER_RUN: Final = 13
"""A year of monthly periods and the one that closes it. A wake after a month replays the run, so runs stay short; the
next one carries the whole state."""

REFUSED: Final = "Refused"
"""The type of the error when a rule says no to a request; its details are a `Refusal`."""

_LIMIT_TIMEOUT: Final = timedelta(seconds=8)
"""Less than a caller waits for an update."""

_ANNOUNCE_TIMEOUT: Final = timedelta(seconds=5)
_ANNOUNCE_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3)
"""A local activity holds up its workflow task, so it gives up soon."""

_SHORTEST_WAIT: Final = timedelta(milliseconds=1)
"""What is late is waited for as well, for no time: its timer is what says that it has come."""


class Said(NamedTuple):
    """What somebody said to the workflow: what it means, and the signal by which a successor is told the same."""

    event: CancelAsked | Refresh
    signal: str
    argument: CancelRequest | NotificationSignal | None


class Life:
    """One run of one subscription.

    Args:
        subscription: as it stands when the run begins.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self._first_period, self._revision = subscription.next_period, subscription.contract.revision
        self._dates_are_old = False
        self._said_meanwhile: list[Said] | None = None
        """While a successor is being started, which has the state of before, what is said is kept for it."""

    async def live(self) -> None:
        """Goes on until the subscription has ended, or the run continues as new."""
        self.happened(Started())
        while not self.subscription.has_ended:
            await self._tell_merchant()
            self._continue_as_new_when_long()
            command = next_command(self.subscription)
            if command is None:
                await self._news(None)
            elif command.at_once or await self._has_come(command):
                self.happened(await self._perform(command))
        await self._tell_merchant()
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._show()

    def happened(self, event: Event) -> None:
        """Takes what happened."""
        self.subscription = apply(self.subscription, event, workflow.now())

    def said(self, said: Said) -> None:
        """Takes what somebody says: by itself, or for its successor while that is being started."""
        if self._said_meanwhile is None:
            self.happened(said.event)
        else:
            self._said_meanwhile.append(said)

    # Requests

    def check(self, request: Request) -> None:
        """Tries a request.

        Raises:
            ApplicationError: of type `Refused`.
        """
        self._asked(request, _request_id())

    async def answer(self, request: Request) -> Answer:
        """Takes a request, and answers what came of it so far.

        Where a charge is to cost more than any to come did, the charge permission's monthly limit is read before.

        Raises:
            ApplicationError: of type `Refused`; nothing was changed.
        """
        request_id = _request_id()
        is_new = self.subscription.references.find(request_id) is None
        if is_new and self._dearest_charge(request) is not None:
            self._dearest_charge(request, within=await self._monthly_limit())
        self.subscription = self._asked(request, request_id)
        self._show()  # nothing else may have news of it before the next command
        return Answer(outcome=outcome_of(self.subscription, request_id), wish=digest_of(request))

    def _asked(self, request: Request, request_id: str) -> Subscription:
        try:
            self._check_not_handing_over(request_id)
            return ask(self.subscription, request, workflow.now(), (request_id,))
        except Refused as refused:
            raise _refusal(refused) from None

    def _check_not_handing_over(self, request_id: str) -> None:
        successor = self.subscription.lifecycle.successor
        if self._said_meanwhile is None or successor is None or self.subscription.references.find(request_id):
            return
        why = f"it is just going on under {successor.charge_permission_id}: ask it there, in a moment"
        raise Refused("subscription", self.subscription.status.value, why, Kind.NOT_NOW)

    def _dearest_charge(self, request: Request, within: Money | None = None) -> Money | None:
        """Tries a request, so that what is refused has changed nothing; see `billing.changes.dearest_charge`."""
        try:
            dearest = dearest_charge(request, self.subscription, workflow.now())
            if dearest is not None:
                check_monthly_limit(dearest, within)
        except Refused as refused:
            raise _refusal(refused) from None
        return dearest

    async def _monthly_limit(self) -> Money | None:
        """What the charge permission may be charged in a calendar month; somebody waits for the answer."""
        terms = self.subscription.terms
        try:
            answer = await workflow.execute_activity_method(
                AmazonPayActivities.read_permission,
                ReadPermission(charge_permission_id=terms.charge_permission_id),
                task_queue=call_queue(workflow.info().task_queue, Call.GET_CHARGE_PERMISSION),
                priority=Priority(priority_key=1, fairness_key=terms.merchant_account),
                schedule_to_close_timeout=_LIMIT_TIMEOUT,
                summary="What may be charged in a calendar month?",
            )
        except ActivityError:
            why = "Amazon did not say what may be charged in a calendar month; try it again in a while"
            raise _refusal(Refused("amount", "", why, Kind.NOT_NOW)) from None
        return answer.monthly_limit

    # What it does

    async def _has_come(self, command: Command) -> bool:
        """Sleeps until a command's time; False where somebody has news before."""
        summary = f"Until {command.at:%Y-%m-%d %H:%M} UTC: {command.why}"
        try:
            await self._news(command, max(command.at - workflow.now(), _SHORTEST_WAIT), summary)
        except TimeoutError:
            return True
        return False

    async def _news(self, command: Command | None, within: timedelta | None = None, summary: str | None = None) -> None:
        """Sleeps until something else is to be done than `command`, or something is to be told.

        Raises:
            TimeoutError: the time is over.
        """
        self._show()
        slept, told = self.subscription, self.subscription.outbox.told

        def is_there() -> bool:
            now = self.subscription
            return now is not slept and (now.outbox.told != told or next_command(now) != command)

        await workflow.wait_condition(is_there, timeout=within, timeout_summary=summary)

    async def _perform(self, command: Command) -> Event:
        if isinstance(command, StartSuccessor):
            return Answered(command, await self._start_successor())
        return await perform(command, self.subscription.terms.merchant_account)

    async def _start_successor(self) -> SuccessorAnswer:
        """Starts the same subscription under its new charge permission; its end here stands in the same history.

        What is said before it runs is said to it too, so that a cancellation or a dispute is lost by neither.
        """
        successor, self._said_meanwhile = continued(self.subscription), []
        started: workflow.ChildWorkflowHandle[Any, Any] | None = None
        try:
            started = await workflow.start_child_workflow(
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
            workflow.logger.warning("the new charge permission has a subscription of its own")
        while self._said_meanwhile:
            said = self._said_meanwhile.pop(0)
            if started is None:
                self.happened(said.event)
            else:
                await self._pass_on(said, started)
        self._said_meanwhile = None
        return SuccessorAnswer(started=started is not None)

    async def _pass_on(self, said: Said, successor: workflow.ChildWorkflowHandle[Any, Any]) -> None:
        try:
            await successor.signal(said.signal, args=[] if said.argument is None else [said.argument])
        except FailureError:
            workflow.logger.warning("the successor has ended already", extra={"signal": said.signal})

    async def _tell_merchant(self) -> None:
        """Hands on what is new. Where that is not possible, the outbox keeps it, and the next command tries again.

        A local activity: it only starts deliveries on the same Temporal server, and costs a single event.
        """
        notices = self.subscription.outbox.notices
        if not notices:
            return
        terms = self.subscription.terms
        announcement = Announcement(
            charge_permission_id=terms.charge_permission_id,
            merchant_reference=terms.merchant_reference,
            plan_id=self.subscription.plan.plan_id,
            notices=notices,
            rules=self.subscription.contract.written.rules,
        )
        try:
            stale = await workflow.execute_local_activity_method(
                NoticeActivities.announce,
                announcement,
                start_to_close_timeout=_ANNOUNCE_TIMEOUT,
                retry_policy=_ANNOUNCE_RETRY,
                summary=", ".join(notice.type.value for notice in notices),
            )
        except ActivityError:
            workflow.logger.warning("notices could not be handed on yet", extra={"waiting": len(notices)})
        else:
            self._dates_are_old = self._dates_are_old or bool(stale)
            self.happened(HandedOn([notice.number for notice in notices]))

    def _continue_as_new_when_long(self) -> None:
        """Goes on as a new run, whose input holds the dates that it will act on.

        That is so after a year of periods, and also where dates were reckoned in this run, as the plan was changed, or
        are to be reckoned anew, as the zones' rules have changed.
        """
        periods = self.subscription.next_period - self._first_period
        reckoned = self.subscription.contract.revision != self._revision
        old = self._dates_are_old and self.subscription.collection is None
        long = periods >= PERIODS_PER_RUN or workflow.info().is_continue_as_new_suggested()
        # Not waited for: an update may be waiting for this run's next step. The run goes on, and looks again then.
        if (long or reckoned or old) and workflow.all_handlers_finished():
            self._show()
            workflow.continue_as_new(self.subscription.carried_on())

    # How it looks

    def _show(self) -> None:
        """Brings search attributes and details up to date; costs an event only where an attribute changed."""
        workflow.set_current_details(details(view_of(self.subscription)))
        updates = search_attribute_updates(self.subscription, workflow.info().typed_search_attributes)
        if updates:
            workflow.upsert_search_attributes(updates)


def _request_id() -> str:
    """The id of the update under way, by which asking again is recognised."""
    update = workflow.current_update_info()
    if update is None:
        raise AssertionError("a request came outside of an update")
    return update.id


def _refusal(refused: Refused) -> ApplicationError:
    return ApplicationError(str(refused), Refusal.of(refused), type=REFUSED, non_retryable=True)
