"""The workflow of what goes on about a subscription when it has ended: it gives money back, reads, tells, and ends.

One for each charge permission, so that two refunds of one charge cannot both find that its money is left.
"""

from datetime import timedelta
from typing import Final, TypedDict

from temporalio import workflow
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from perennial_billing.activities.signatures import Announcement, NoticeActivities
    from perennial_billing.billing.changes import RefundPeriod
    from perennial_billing.billing.ended import EndedSubscription
    from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN
    from perennial_billing.billing.protocol.answers import DisputeAnswer, RefundAnswer
    from perennial_billing.billing.protocol.commands import Command
    from perennial_billing.billing.protocol.events import Answered, Refresh
    from perennial_billing.billing.protocol.recollection import Recalled, Recollection
    from perennial_billing.billing.refusals import Kind, Refused
    from perennial_billing.billing.register import digest_of
    from perennial_billing.billing.view import SubscriptionView
    from perennial_billing.workflows import signals
    from perennial_billing.workflows.life import (
        ANNOUNCE_RETRY,
        ANNOUNCE_TIMEOUT,
        TELL_AGAIN_AFTER,
        refusing,
        request_id,
    )
    from perennial_billing.workflows.messages import Answer, NotificationSignal, Outcome, Wish
    from perennial_billing.workflows.names import (
        AMAZON_PAY_NOTIFICATION,
        ENDED_WORKFLOW,
        ended_workflow_id,
        workflow_id,
    )
    from perennial_billing.workflows.outcomes import outcome_of_refund
    from perennial_billing.workflows.performing import ledger_ahead_of, perform
    from perennial_billing.workflows.recalling import recall
    from perennial_billing.workflows.releases import another_takes_over, go_on

_AT_LEAST: Final = timedelta(milliseconds=1)


class StartOptions(TypedDict):
    """How one is started, by whoever has something for it: the one that runs takes it."""

    id: str
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy
    static_summary: str


def start_options(charge_permission_id: str) -> StartOptions:
    """Those of a charge permission's."""
    return StartOptions(
        id=ended_workflow_id(charge_permission_id),
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="What goes on after the end",
    )


def begins_with(
    charge_permission_id: str, ended: SubscriptionView | None, before: EndedSubscription | None
) -> EndedSubscription:
    """What is known when one begins; the ledger is asked for the rest.

    Args:
        charge_permission_id: the one that the subscription lived under last.
        ended: how the subscription ended; None where Temporal does not retain that any more, or there never was one.
        before: how the one before ended; None where there was none, or Temporal does not retain that.
    """
    if before is not None:
        return before
    return EndedSubscription.of(ended) if ended else EndedSubscription(charge_permission_id=charge_permission_id)


@workflow.defn(name=ENDED_WORKFLOW)
class EndedSubscriptionWorkflow:
    """From the first thing that goes on until nothing does; what comes later begins with what this one ends with."""

    @workflow.init
    def __init__(self, ended: EndedSubscription) -> None:
        self._ended = ended
        self._knows = False
        self._said: list[tuple[Refresh, NotificationSignal]] = []

    @workflow.run
    async def run(self, ended: EndedSubscription) -> EndedSubscription:  # noqa: ARG002 - taken by __init__
        """Does what there is to do; returns what is known then."""
        await self._recall_who_it_is()
        while True:
            await self._say_elsewhere()
            self._ended = self._ended.without_others_orders()
            await self._tell()
            if self._goes_on_elsewhere:
                go_on(self._ended)
            command = self._ended.next_command
            if command is not None:
                if command.at_once or await self._has_come(command):
                    await self._do(command)
            elif workflow.all_handlers_finished() and not self._is_to_be_said_elsewhere:
                return self._ended
            else:
                await workflow.wait_condition(self._has_work)

    @workflow.signal
    async def amazon_pay_notification(self, *notification: object) -> None:
        """Amazon says that something about a refund or a dispute has changed: it is read at once.

        Takes a `NotificationSignal`.
        """
        said = signals.look_at_object(notification)
        if said is None or not isinstance(said.event, Refresh):
            return
        self._said += [(said.event, each) for each in said.arguments if isinstance(each, NotificationSignal)]
        if self._ended.successor is None:
            self._ended = self._ended.reported(said.event, workflow.now())

    @workflow.signal
    async def wake(self) -> None:
        """Changes nothing: a run that another release takes over from looks up, and goes on there."""

    @workflow.update
    async def request(self, wish: Wish) -> Answer:
        """Takes a refund, and answers what came of it so far; `outcome` tells the rest.

        Raises:
            ApplicationError: of type `Refused`; nothing was changed.
        """
        request, identifier = wish.request, request_id()
        with refusing():
            if not isinstance(request, RefundPeriod):
                why = "only a refund can be asked for when it has ended"
                raise Refused("request", request.kind, why, Kind.NOT_NOW)
            recalled = await self._recalled(self._ended.looks_up(request))
            self._ended = self._ended.asked(request, recalled, workflow.now(), identifier, wish.asker)
        return Answer(outcome=self._outcome(identifier), wish=digest_of(request))

    @workflow.query
    def outcome(self, request_id: str) -> Answer:
        """What became of a request, by its id."""
        return Answer(outcome=self._outcome(request_id))

    def _outcome(self, request_id: str) -> Outcome:
        return outcome_of_refund(self._ended.references.find(request_id), self._ended.refunds)

    # What is known

    async def _recalled(self, wanted: Recollection) -> Recalled:
        """What the ledger knows, for somebody who waits for an answer."""
        try:
            recalled = await recall(wanted)
        except FailureError:
            why = "the ledger, which knows what was charged, cannot be read now: ask again later"
            raise Refused("ledger", "", why, Kind.NOT_NOW) from None
        if not recalled.is_known and not self._ended.ledger.known:
            why = "nothing is known of a subscription under it"
            raise Refused("charge_permission_id", self._ended.charge_permission_id, why)
        self._remember(recalled)
        return recalled

    async def _recall_who_it_is(self) -> None:
        """Nothing is told before it is known which number is next."""
        while not self._knows:
            try:
                recalled = await recall(Recollection(charge_permission_id=self._ended.charge_permission_id))
            except FailureError:
                workflow.logger.warning("the ledger cannot be read yet")
                await self._until_known()
                continue
            self._remember(recalled)

    async def _until_known(self) -> None:
        """Until the ledger is asked again, or somebody who had something to ask has found it there."""
        try:
            await workflow.wait_condition(
                lambda: self._knows, timeout=TELL_AGAIN_AFTER, timeout_summary="Until the ledger is asked again"
            )
        except TimeoutError:
            return

    def _remember(self, recalled: Recalled) -> None:
        self._ended, self._knows = self._ended.recalling(recalled), True

    async def _recall_charge(self, charge_id: str | None) -> None:
        """Which period a charge was of, for those who are told of it; it is told all the same where nobody knows."""
        if charge_id is None or self._ended.ledger.of_charge(charge_id) is not None:
            return
        permission = self._ended.charge_permission_id
        try:
            self._remember(await recall(Recollection(charge_permission_id=permission, charge_id=charge_id)))
        except FailureError:
            workflow.logger.warning("the ledger cannot be read now")

    async def _say_elsewhere(self) -> None:
        """Where it has not ended, but went on under another charge permission, what was said is said there."""
        successor = self._ended.successor
        if successor is None:
            return
        self._ended = EndedSubscription(
            charge_permission_id=self._ended.charge_permission_id, successor=successor, outbox=self._ended.outbox
        )
        while self._said:
            refresh, signal = self._said.pop(0)
            if not await self._signalled(workflow_id(successor), signal):
                await self._say_to_the_ended(successor, refresh, signal)

    async def _say_to_the_ended(self, charge_permission_id: str, refresh: Refresh, signal: NotificationSignal) -> None:
        """Its successor has ended as well."""
        identifier, ended = (
            ended_workflow_id(charge_permission_id),
            EndedSubscription(charge_permission_id=charge_permission_id),
        )
        while not await self._signalled(identifier, signal):
            try:
                await workflow.start_child_workflow(
                    ENDED_WORKFLOW,
                    ended.reported(refresh, workflow.now()),
                    id=identifier,
                    parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                )
            except WorkflowAlreadyStartedError:
                continue
            return

    async def _signalled(self, identifier: str, signal: NotificationSignal) -> bool:
        try:
            await workflow.get_external_workflow_handle(identifier).signal(AMAZON_PAY_NOTIFICATION, signal)
        except FailureError:
            return False
        return True

    # What it does

    async def _do(self, command: Command) -> None:
        event = await perform(command, self._ended.merchant_account)
        if not isinstance(event, Answered):
            self._ended = self._ended.not_answered(command, OUTCOME_UNKNOWN, workflow.now())
            return
        if isinstance(event.answer, RefundAnswer | DisputeAnswer):
            await self._recall_charge(event.answer.charge_id)
        self._ended = self._ended.answered(command, event.answer, workflow.now())

    def _has_work(self) -> bool:
        waits = self._ended.next_command is not None or self._ended.outbox.notices or self._is_to_be_said_elsewhere
        return bool(waits) or workflow.all_handlers_finished()

    @property
    def _goes_on_elsewhere(self) -> bool:
        """Whether another release takes over, and nothing is in this run's hands."""
        idle = workflow.all_handlers_finished() and not self._is_to_be_said_elsewhere
        return self._knows and idle and another_takes_over()

    @property
    def _is_to_be_said_elsewhere(self) -> bool:
        return self._ended.successor is not None and bool(self._said)

    async def _has_come(self, command: Command) -> bool:
        """Sleeps until a command's time; False where something else is to be done before."""
        duration = max(command.at - workflow.now(), _AT_LEAST)
        try:
            await workflow.wait_condition(
                lambda: self._ended.next_command != command or self._is_to_be_said_elsewhere or self._goes_on_elsewhere,
                timeout=duration,
                timeout_summary=command.why,
            )
        except TimeoutError:
            return True
        return False

    async def _numbers_on(self) -> bool:
        """Whether what is to be told follows what the ledger knows, now that it was looked up."""
        try:
            recalled = await recall(Recollection(charge_permission_id=self._ended.charge_permission_id))
        except FailureError:
            return False
        self._ended = self._ended.numbered_on(recalled)
        return True

    async def _tell(self) -> None:
        """Hands on what is new; nothing else is done before that is possible."""
        while notices := self._ended.outbox.first:
            announcement = Announcement(
                charge_permission_id=self._ended.charge_permission_id,
                merchant_reference=self._ended.merchant_reference,
                plan_id=self._ended.plan_id,
                notices=notices,
                merchant_account=self._ended.merchant_account,
            )
            try:
                await workflow.execute_local_activity_method(
                    NoticeActivities.announce,
                    announcement,
                    start_to_close_timeout=ANNOUNCE_TIMEOUT,
                    retry_policy=ANNOUNCE_RETRY,
                )
            except FailureError as error:
                if ledger_ahead_of(error) is None or not await self._numbers_on():
                    await workflow.sleep(TELL_AGAIN_AFTER, summary=f"Until {len(notices)} notices are tried again")
                continue
            handed_on = self._ended.outbox.handed_on([notice.number for notice in notices])
            self._ended = self._ended.but(outbox=handed_on)
