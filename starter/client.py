"""What a merchant does with subscriptions, over a Temporal client."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from pydantic import ValidationError
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.billing.changes import (
    Capture,
    Change,
    ChangePlan,
    RefundPeriod,
    ReplacePermission,
    Resolve,
    RetryNow,
    WriteOff,
)
from perennial_billing.billing.chargeable import check_chargeable
from perennial_billing.billing.contract.terms import Terms, check_anchor
from perennial_billing.billing.first_charge import begun_with
from perennial_billing.billing.forecast.preview import DryRun, Upcoming, check_count
from perennial_billing.billing.lives import begun_again
from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Kind, Refused, refusal_of
from perennial_billing.billing.register import digest_of
from perennial_billing.billing.requests import NOBODY, Asker, Request
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import RefundView, SubscriptionView
from perennial_billing.runtime.temporal import is_unknown, result_of, time_of
from perennial_billing.starter.errors import (
    NotAnsweredError,
    NoWorkerError,
    RequestRefusedError,
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.listing import Listed, list_subscriptions
from perennial_billing.starter.lives import not_ended
from perennial_billing.starter.places import CALL_TIMEOUT, AfterTheEnd, Place, Running
from perennial_billing.starter.reading import OpensAmazon
from perennial_billing.starter.stopped import Stopped, stopped
from perennial_billing.workflows.life import REFUSED
from perennial_billing.workflows.memo import FIRST_CHARGE_MEMO, TERMS_MEMO, differing
from perennial_billing.workflows.messages import (
    Answer,
    CancelRequest,
    CaptureResult,
    Changed,
    Outcome,
    Question,
    Refunding,
    Refusal,
    Replaced,
    Resolved,
    Retried,
    Underway,
    Unknown,
)
from perennial_billing.workflows.names import AMAZONS_NAME, MERCHANT_ACCOUNT, MERCHANT_REFERENCE, workflow_id
from perennial_billing.workflows.starting import start_options
from perennial_billing.workflows.subscription import SubscriptionWorkflow

if TYPE_CHECKING:
    from perennial_billing.ledger.ledger import Ledger

FIRST_LOOK: Final = timedelta(milliseconds=20)
LONGEST_LOOK: Final = timedelta(seconds=1)
"""How soon, and how seldom, is looked for what became of a request."""

LOST: Final = "UnprocessedUpdate"
"""What the server says of a request whose workflow task came to nothing, as where a worker was too slow or died."""

MOST_LOST: Final = 3
"""So often one is sent before it is told that no worker has taken it."""

Asked = TypeVar("Asked", Changed, Retried, Resolved, Refunding, CaptureResult, Replaced)
Handle = WorkflowHandle[SubscriptionWorkflow, SubscriptionView]
OpensLedger = Callable[[], AbstractAsyncContextManager["Ledger"]]


@dataclass(frozen=True, slots=True)
class Started:
    """A subscription that runs.

    Attributes:
        workflow_id: Temporal's.
        already: it had been started before with the same terms.
        first_due: when the first period falls due that is charged or is free (UTC); None where it runs already, and
            where the checkout's own charge has paid all there is.
    """

    workflow_id: str
    already: bool
    first_due: datetime | None = None


def new_request_id() -> str:
    """An id for a request that has none: repeated with it, the request asks for nothing new."""
    return uuid4().hex


def shares_reference(terms: Terms, others: Sequence[str]) -> str:
    """That others go by the same merchant reference, in one sentence; nothing where there is none."""
    if not others:
        return ""
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    of = f"charge permission {others[0]}{more}"
    return f"merchant reference {terms.merchant_reference!r} is that of {of} too; one customer may be billed twice"


class Subscriptions:
    """Starts, shows, lists and cancels subscriptions.

    Args:
        client: connected with the project's data converter.
        task_queue: where the workers listen.
        needs_consent: whether a buyer has to agree to another plan in a new checkout, as in the EU and the UK.
        ledger: opens the ledger, where something is to be found that Temporal does not know any more; without one, only
            what Temporal retains is found.
        amazon: opens a way to Amazon, by which charge permissions are read before anything is started; without one,
            only what is said to be unchecked is started.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        *,
        needs_consent: bool = False,
        ledger: OpensLedger | None = None,
        amazon: OpensAmazon | None = None,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._needs_consent = needs_consent
        self._ledger = ledger
        self._asker = NOBODY
        self._amazon = amazon

    def on_behalf_of(self, asker: Asker) -> "Subscriptions":
        """The same, for somebody: who asks, and why, is told with what follows, and the ledger keeps it."""
        theirs = copy(self)
        theirs._asker = asker  # noqa: SLF001 - it is one of its own
        return theirs

    async def start(
        self,
        terms: Terms,
        *,
        anchor_was_given: bool = True,
        backdated: bool = False,
        first_charge: str | None = None,
        unchecked: bool = False,
        new_life: bool = False,
    ) -> Started:
        """Starts a subscription; starting it again with the same terms finds the running one.

        Its charge permission is read at Amazon before, and nothing is started that cannot be charged. One that was
        started before is found without that: its charge permission may have been charged, or broken, since.

        Args:
            terms: what was agreed.
            anchor_was_given: False where the anchor only is the moment of this call, so that a repeated call with
                another moment still means the same subscription.
            backdated: it began more than a period ago, and all that fell due since is owed.
            first_charge: Amazon's id of a charge that was made with the checkout and has paid period 0. It is read at
                Amazon in any case; where no anchor was given, its time is the anchor.
            unchecked: start without reading the charge permission.
            new_life: a subscription has lived under it before that never ended and that Temporal has forgotten; this
                one begins anew, with idempotency keys of its own.

        Raises:
            Refused: it began more than a period ago, and nobody says that this is meant.
            RequestRefusedError: it cannot be charged under the charge permission, or the charge has not paid period 0.
            NotReadError: Amazon did not answer.
            SubscriptionConflictError: it was started with other terms, or another first charge, or its workflow was
                ended from outside; nothing was changed.
            SubscriptionEndedError: it has ended already, so nothing would be billed under that permission.
            LedgerError: whether one has lived under the charge permission before cannot be looked up.
        """
        reads = first_charge is not None or not unchecked
        known = await self._described(terms.charge_permission_id) if reads else None
        if known is not None:
            await self._refuse_other_terms(known, terms, first_charge, anchor_was_given=anchor_was_given)
            return Started(workflow_id(terms.charge_permission_id), already=True)
        try:
            if not backdated and (anchor_was_given or first_charge is None):
                check_anchor(terms, datetime.now(UTC))
        except Refused:
            if reads or await self._described(terms.charge_permission_id) is None:
                raise
        subscription = Subscription.begin(terms)
        if reads:
            subscription = await self._checked(
                terms, first_charge, anchor_was_given=anchor_was_given, unchecked=unchecked
            )
            if not backdated:
                check_anchor(subscription.terms, datetime.now(UTC))
        return await self._start(subscription, first_charge, anchor_was_given=anchor_was_given, new_life=new_life)

    async def _checked(
        self, terms: Terms, first_charge: str | None, *, anchor_was_given: bool, unchecked: bool
    ) -> Subscription:
        """The subscription as it begins, after what Amazon says of its charge permission and of its first charge."""
        identifier, now = terms.charge_permission_id, datetime.now(UTC)
        if self._amazon is None:
            why = "nothing reads it at Amazon before it is started: give `Subscriptions` a way to Amazon (`amazon`)"
            raise SubscriptionError(f"charge permission {identifier}: {why}, or start it `unchecked`")
        try:
            async with self._amazon() as amazon:
                if first_charge is None:
                    subscription = Subscription.begin(terms)
                else:
                    _check_charge_id(first_charge)
                    charge = await amazon.charge(first_charge)
                    if not anchor_was_given and charge.created_at is not None:
                        terms = Terms.model_validate({**dict(terms), "anchor": charge.created_at})
                    subscription = begun_with(terms, first_charge, charge, now)
                if not unchecked:
                    check_chargeable(subscription, await amazon.charge_permission(identifier), now)
        except ValidationError as error:
            raise RequestRefusedError(identifier, refusal_of(error)) from error
        except Refused as refused:
            raise RequestRefusedError(identifier, refused) from None
        return subscription

    async def adopt(self, subscription: Subscription) -> Started:
        """Starts a subscription as it stands, such as one that was billed elsewhere until now.

        Raises:
            SubscriptionConflictError: it was started with other terms; nothing was changed.
            SubscriptionEndedError: it has ended already.
        """
        return await self._start(subscription, None, anchor_was_given=True)

    async def _described(self, charge_permission_id: str) -> WorkflowExecutionDescription | None:
        """What Temporal knows of it; None where it was never started, or ended so long ago that it is forgotten."""
        try:
            return await self._handle(charge_permission_id).describe(rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            if is_unknown(error):
                return None
            raise _explained(error, charge_permission_id) from error

    async def _start(
        self, subscription: Subscription, first_charge: str | None, *, anchor_was_given: bool, new_life: bool = False
    ) -> Started:
        subscription = await self._of_its_life(subscription, new_life=new_life)
        terms = subscription.terms
        identifier = workflow_id(terms.charge_permission_id)
        try:
            await self._client.start_workflow(
                SubscriptionWorkflow.run,
                subscription,
                **start_options(subscription, first_charge),
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
        except RPCError as error:
            raise _explained(error, terms.charge_permission_id) from error
        except WorkflowAlreadyStartedError:
            description = await self._handle(terms.charge_permission_id).describe(rpc_timeout=CALL_TIMEOUT)
            await self._refuse_other_terms(description, terms, first_charge, anchor_was_given=anchor_was_given)
            return Started(identifier, already=True)
        number = subscription.next_period
        due = subscription.schedule.due(number) if subscription.schedule.has_period(number) else None
        return Started(identifier, already=False, first_due=due)

    async def _of_its_life(self, subscription: Subscription, *, new_life: bool) -> Subscription:
        """The same, with keys of its own where another has lived under the charge permission before.

        Raises:
            SubscriptionConflictError: that one has not ended; or there was none, and a new life was asked for.
        """
        identifier = subscription.terms.charge_permission_id
        life = None
        if self._ledger is not None:
            from perennial_billing.ledger.lives import earlier_life

            async with self._ledger() as ledger:
                life = await earlier_life(ledger, identifier)
        if life is None:
            if new_life:
                why = "the ledger knows of no subscription that has lived under it: start it as any other"
                raise SubscriptionConflictError(f"charge permission {identifier}: {why}")
            return subscription
        if await self._described(identifier) is not None:
            return subscription  # Temporal knows it, so it is not started again
        if not (life.has_ended or new_life):
            raise SubscriptionConflictError(not_ended(life))
        return begun_again(subscription, life.lives + 1, life.told, datetime.now(UTC))

    async def sharing_reference(self, terms: Terms) -> list[str]:
        """The charge permissions of the other running subscriptions with the same merchant reference and account.

        A customer may have several, so starting another is not refused. But one that was started twice, after a second
        checkout, is billed twice: ask this after a start, or before. The answer comes from Temporal's visibility store,
        which learns of a start a moment later; so of two that are started at once, one may not see the other.

        Returns:
            Their ids, sorted; none where the terms have no merchant reference.
        """
        if not terms.merchant_reference:
            return []
        query = f"{MERCHANT_REFERENCE.name} = '{terms.merchant_reference}'"  # neither can hold a quotation mark
        query += f" AND {MERCHANT_ACCOUNT.name} = '{terms.merchant_account}'"
        found = [listed.charge_permission_id async for listed in self.list(query=query)]
        return sorted(each for each in found if each != terms.charge_permission_id)

    async def status(self, charge_permission_id: str) -> SubscriptionView:
        """How a running or ended subscription stands.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
        """
        try:
            return await self._handle(charge_permission_id).query(SubscriptionWorkflow.status, rpc_timeout=CALL_TIMEOUT)
        except (RPCError, WorkflowQueryRejectedError) as error:
            raise _explained(error, charge_permission_id) from error

    async def stopped(self, charge_permission_id: str) -> Stopped | None:
        """Whether, and how, a subscription's workflow was ended from outside, so that nobody bills it."""
        return await stopped(self._client.workflow_service, self._client.namespace, charge_permission_id)

    async def upcoming(self, charge_permission_id: str, count: int = 12) -> list[Upcoming]:
        """The charges to come, up to 120, supposing that each succeeds.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
            Refused: the count is not accepted.
        """
        check_count(count)
        handle = self._handle(charge_permission_id)
        try:
            return await handle.query(SubscriptionWorkflow.upcoming, count, rpc_timeout=CALL_TIMEOUT)
        except (RPCError, WorkflowQueryRejectedError) as error:
            raise _explained(error, charge_permission_id) from error

    async def dry_run(self, charge_permission_id: str, request: Request, at: datetime | None = None) -> DryRun:
        """What a request would come to: what would be charged at once, and next. Nothing is changed.

        Args:
            charge_permission_id: whose.
            request: what would be asked for.
            at: when (UTC); now when not given, by the subscription's own time.

        Raises:
            SubscriptionNotFoundError: there is none.
            RequestRefusedError: it would be refused.
            NoWorkerError: no worker answers.
        """
        self._check_consent(charge_permission_id, request)
        handle = self._handle(charge_permission_id)
        try:
            question = Question.model_validate({"request": request, "at": at or await time_of(handle)})
            answer = await handle.query(SubscriptionWorkflow.dry_run, question, rpc_timeout=CALL_TIMEOUT)
        except (RPCError, WorkflowQueryRejectedError) as error:
            raise _explained(error, charge_permission_id) from error
        if answer.refusal is not None:
            raise RequestRefusedError(charge_permission_id, answer.refusal.refused)
        if answer.dry_run is None:
            raise AssertionError("a dry run answered nothing")
        return answer.dry_run

    async def cancel(self, charge_permission_id: str, reason: str) -> None:
        """Asks a subscription to end; it closes the charge permission as soon as no charge is under way.

        A signal: it is safe once this returns, also where no worker is there.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
        """
        handle = self._handle(charge_permission_id)
        try:
            await handle.signal(SubscriptionWorkflow.cancel, CancelRequest(reason=reason), rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            raise _explained(error, charge_permission_id) from error

    async def replace_charge_permission(
        self, charge_permission_id: str, successor: str, request_id: str | None = None
    ) -> str:
        """Lets a subscription go on under a new charge permission that the buyer has approved.

        Anchor, period number, account and what is owed are kept; the old permission is closed. Waits until it is
        done, and a charge under way is awaited first.

        Returns:
            The workflow id of the subscription as it goes on.

        Raises:
            SubscriptionError: as `ask`.
        """
        try:
            request = ReplacePermission(charge_permission_id=successor)
        except ValidationError as error:
            raise RequestRefusedError(charge_permission_id, refusal_of(error)) from error
        outcome = await self.ask(charge_permission_id, request, request_id)
        return workflow_id(_as(Replaced, outcome).charge_permission_id)

    async def capture(
        self, charge_permission_id: str, period: int, amount: Money | None = None, request_id: str | None = None
    ) -> CaptureResult:
        """Captures the authorized charge of a period whose plan captures later.

        Args:
            charge_permission_id: whose.
            period: counted from 0.
            amount: a part of what was authorized, the rest of which is released; all of it when not given.
            request_id: see `ask`.

        Returns:
            What became of it: captured, declined but still authorized, or lost for good.

        Raises:
            SubscriptionError: as `ask`.
        """
        outcome = await self.ask(charge_permission_id, Capture(period=period, amount=amount), request_id)
        return _as(CaptureResult, outcome)

    async def refund(
        self, charge_permission_id: str, wanted: RefundPeriod, request_id: str | None = None
    ) -> RefundView:
        """Gives money back for a period that was paid, however long ago, and also where the subscription has ended.

        Where it went on under another charge permission, that one is asked; where it has ended, or Temporal has
        forgotten it, a workflow of its own does it, by what the ledger knows.

        Args:
            charge_permission_id: whose.
            wanted: which charge, and how much; without a name of the merchant's it goes by the request's id.
            request_id: see `ask`.

        Returns:
            The refund as Amazon has taken it, nearly always pending; or failed, with its reason. How a pending one ends
            is told by a notice.

        Raises:
            SubscriptionError: as `ask`; there is no subscription where neither Temporal nor the ledger knows one.
        """
        request_id = request_id or new_request_id()
        wanted = wanted.named(request_id)
        try:
            return _as(Refunding, await self.ask(charge_permission_id, wanted, request_id)).refund
        except (SubscriptionEndedError, SubscriptionNotFoundError) as gone:
            ended = await self._ended(charge_permission_id)
            successor = ended.successor if ended else await self._recorded_successor(charge_permission_id)
            if successor is not None:
                return await self.refund(successor, wanted, request_id)
            if ended is None and not await self._is_recorded(charge_permission_id):
                raise gone from None
            place = AfterTheEnd(self._client, self._task_queue, charge_permission_id, ended)
            outcome = await self._answer_of(place, wanted, request_id)
        return _as(Refunding, outcome).refund

    async def owner_of(self, charge_id: str) -> str:
        """The charge permission whose subscription has made a charge, as the ledger has it.

        Raises:
            SubscriptionNotFoundError: no entry of the ledger names it.
            LedgerError: the ledger cannot be used now.
        """
        owner = None
        if self._ledger is not None:
            from perennial_billing.ledger.recalling import owner_of

            async with self._ledger() as ledger:
                owner = await owner_of(ledger, charge_id)
        if owner is None:
            raise SubscriptionNotFoundError(f"charge {charge_id}: no entry of the ledger says that it was captured")
        return owner

    async def _ended(self, charge_permission_id: str) -> SubscriptionView | None:
        """How a subscription ended, where Temporal still retains that."""
        try:
            return await result_of(self._handle(charge_permission_id), CALL_TIMEOUT)
        except RPCError as error:
            raise _explained(error, charge_permission_id) from error

    async def _recorded_successor(self, charge_permission_id: str) -> str | None:
        if self._ledger is None:
            return None
        from perennial_billing.ledger.recalling import successor_of

        async with self._ledger() as ledger:
            return await successor_of(ledger, charge_permission_id)

    async def _is_recorded(self, charge_permission_id: str) -> bool:
        if self._ledger is None:
            return False
        from perennial_billing.ledger.recalling import is_known

        async with self._ledger() as ledger:
            return await is_known(ledger, charge_permission_id)

    async def change(self, charge_permission_id: str, change: Change, request_id: str | None = None) -> Changed:
        """Changes a running subscription: see `billing.changes` for what can be changed, and when.

        Returns:
            When it takes effect, and what happens next.

        Raises:
            SubscriptionError: as `ask`.
        """
        return _as(Changed, await self.ask(charge_permission_id, change, request_id))

    async def retry_now(self, charge_permission_id: str, request_id: str | None = None) -> None:
        """Tries what is owed again now, instead of when the schedule says; also releases periods that were held.

        Where only the buyer can mend it, the charge permission is read, and charged if it can be.

        Raises:
            SubscriptionError: as `ask`.
        """
        _as(Retried, await self.ask(charge_permission_id, RetryNow(), request_id))

    async def resolve(self, charge_permission_id: str, wanted: Resolve, request_id: str | None = None) -> Resolved:
        """Settles a held attempt by hand: a charge that has paid the period, a new attempt, or a write-off.

        Raises:
            SubscriptionError: as `ask`; also where the charge that is named cannot have paid the period.
        """
        return _as(Resolved, await self.ask(charge_permission_id, wanted, request_id))

    async def write_off(self, charge_permission_id: str, period: int, request_id: str | None = None) -> None:
        """Gives an owed period up: it is not collected any more.

        Raises:
            SubscriptionError: as `ask`.
        """
        _as(Resolved, await self.ask(charge_permission_id, WriteOff(period=period), request_id))

    async def ask(self, charge_permission_id: str, request: Request, request_id: str | None = None) -> Outcome:
        """Asks a running subscription for something, and waits a while for what becomes of it.

        Args:
            charge_permission_id: whose.
            request: what is wanted.
            request_id: made when not given. Asking again with the same one gives the first answer, and asks for
                nothing new.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
            RequestRefusedError: a rule said no, or the id is that of another request; nothing was changed.
            NotAnsweredError: no worker has taken it yet, or Amazon has not answered; it says which.
        """
        self._check_consent(charge_permission_id, request)
        place = Running(self._client, charge_permission_id)
        return await self._answer_of(place, request, request_id or new_request_id())

    async def _answer_of(self, place: Place, request: Request, request_id: str) -> Outcome:
        charge_permission_id = place.charge_permission_id
        outcome = await self._accepted(place, request, request_id)
        deadline, wait = asyncio.get_running_loop().time() + CALL_TIMEOUT.total_seconds(), FIRST_LOOK
        while isinstance(outcome, Underway):
            if asyncio.get_running_loop().time() > deadline:
                raise NotAnsweredError(charge_permission_id, request_id, accepted=True)
            await asyncio.sleep(wait.total_seconds())
            wait = min(2 * wait, LONGEST_LOOK)
            outcome = await self._outcome(place, request_id)
        if isinstance(outcome, Refusal):
            raise RequestRefusedError(charge_permission_id, outcome.refused)
        return outcome

    async def _accepted(self, place: Place, request: Request, request_id: str) -> Outcome:
        charge_permission_id = place.charge_permission_id
        for _ in range(MOST_LOST):
            try:
                answer = await place.take(request, request_id, self._asker)
            except WorkflowUpdateFailedError as error:
                if _is_lost(error):
                    continue
                raise _refusal(charge_permission_id, error) from error
            except WorkflowUpdateRPCTimeoutOrCancelledError:
                break
            except RPCError as error:
                return await self._answered_before_it_ended(place, request_id, error)
            return self._of_this_request(charge_permission_id, request, request_id, answer)
        raise NotAnsweredError(charge_permission_id, request_id, accepted=False)

    @staticmethod
    def _of_this_request(charge_permission_id: str, request: Request, request_id: str, answer: Answer) -> Outcome:
        if answer.wish != digest_of(request):
            why = "it is that of another request; each request has its own"
            raise RequestRefusedError(charge_permission_id, Refused("request_id", request_id, why, Kind.CONFLICT))
        return answer.outcome

    async def _answered_before_it_ended(self, place: Place, request_id: str, error: RPCError) -> Outcome:
        """What became of a request that an ended subscription had taken; where it had not, why it cannot any more."""
        charge_permission_id = place.charge_permission_id
        explained = _explained(error, charge_permission_id)
        if isinstance(explained, NoWorkerError):
            raise NotAnsweredError(charge_permission_id, request_id, accepted=False) from error
        if not isinstance(explained, SubscriptionEndedError):
            raise explained from error
        outcome = await self._outcome(place, request_id)
        if isinstance(outcome, Unknown):
            raise explained from error
        return outcome

    async def _outcome(self, place: Place, request_id: str) -> Outcome:
        charge_permission_id = place.charge_permission_id
        try:
            answer = await place.look(request_id)
        except (RPCError, WorkflowQueryRejectedError) as error:
            explained = _explained(error, charge_permission_id)
            if isinstance(explained, NoWorkerError):
                raise NotAnsweredError(charge_permission_id, request_id, accepted=True) from error
            raise explained from error
        return answer.outcome

    def _check_consent(self, charge_permission_id: str, request: Request) -> None:
        if self._needs_consent and isinstance(request, ChangePlan) and not request.consented:
            why = (
                "in the EU and the UK Amazon wants the buyer to agree to another plan: have the buyer check out again, "
                "replace the charge permission, and say so (consented)"
            )
            raise RequestRefusedError(charge_permission_id, Refused("consented", "", why, Kind.NOT_NOW))

    async def list(
        self,
        *,
        status: Status | None = None,
        past_due: bool = False,
        ended: bool = False,
        query: str | None = None,
        lag: timedelta = timedelta(0),
    ) -> AsyncIterator[Listed]:
        """Lists subscriptions, each once, in the order of Temporal's visibility store.

        Args:
            status: only those with this status.
            past_due: only those who owe a period that could not be collected at once.
            ended: also those that have ended, as far back as the namespace retains them.
            query: only those that match this condition over search attributes, in Temporal's query language.
            lag: how far the store may be behind, where none is to be missed: `starter.listing.STORE_LAG`.

        Raises:
            SubscriptionError: the query is none.
        """
        service, namespace = self._client.workflow_service, self._client.namespace
        lines = list_subscriptions(
            service,
            namespace,
            status=status.value if status else None,
            past_due=past_due,
            ended=ended,
            query=query,
            lag=lag,
        )
        try:
            async for listed in lines:
                yield listed
        except RPCError as error:
            if query is not None and error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise SubscriptionError(f"query {query!r}: {error.message}") from error
            raise

    def _handle(self, charge_permission_id: str) -> Handle:
        return self._client.get_workflow_handle_for(SubscriptionWorkflow.run, workflow_id(charge_permission_id))

    async def _refuse_other_terms(
        self,
        description: WorkflowExecutionDescription,
        terms: Terms,
        first_charge: str | None,
        *,
        anchor_was_given: bool,
    ) -> None:
        if description.status is not WorkflowExecutionStatus.RUNNING:
            service, namespace = self._client.workflow_service, self._client.namespace
            found = await stopped(service, namespace, terms.charge_permission_id)
            if found is not None:
                raise SubscriptionConflictError(f"charge permission {terms.charge_permission_id}: {found}")
            raise SubscriptionEndedError(
                f"charge permission {terms.charge_permission_id}: its subscription has ended already; billing goes on "
                "under the charge permission of a new checkout"
            )
        running = await description.memo_value(TERMS_MEMO, type_hint=Terms)
        differs = differing(running, terms, anchor_was_given=anchor_was_given)
        if await description.memo_value(FIRST_CHARGE_MEMO, None, type_hint=str) != first_charge:
            differs.append("first charge")
        if differs:
            raise SubscriptionConflictError(
                f"charge permission {terms.charge_permission_id} has a subscription with another "
                f"{' and another '.join(differs)} (its anchor is {running.anchor.isoformat()}); it was not changed"
            )


def _check_charge_id(charge_id: str) -> None:
    """Whether it looks like one of Amazon's; else nobody is asked about it.

    Raises:
        Refused: it does not.
    """
    if AMAZONS_NAME.fullmatch(charge_id) is None:
        raise Refused("first_charge", repr(charge_id), "the id of a charge is, such as S01-1234567-1234567-C123456")


def _as(kind: type[Asked], outcome: Outcome) -> Asked:
    if not isinstance(outcome, kind):
        raise SubscriptionError(f"the subscription answered {outcome.kind}, which is no answer to this request")
    return outcome


def _is_lost(error: WorkflowUpdateFailedError) -> bool:
    """Whether a request went down with the worker's answer that was to take it; it is in no history, and can be asked
    again."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == LOST


def _refusal(charge_permission_id: str, error: WorkflowUpdateFailedError) -> SubscriptionError:
    """What a rule said, as it was told by the workflow."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == REFUSED and cause.details:
        return RequestRefusedError(charge_permission_id, Refusal.model_validate(cause.details[0]).refused)
    return SubscriptionError(f"charge permission {charge_permission_id}: {cause}")


def _explained(
    error: RPCError | WorkflowQueryRejectedError | WorkflowUpdateRPCTimeoutOrCancelledError, charge_permission_id: str
) -> SubscriptionError:
    subject = f"charge permission {charge_permission_id}"
    if isinstance(error, WorkflowUpdateRPCTimeoutOrCancelledError):
        return NoWorkerError(f"{subject}: no worker answers; start one with `perennial worker`")
    if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
        if "already completed" in error.message:
            return SubscriptionEndedError(f"{subject}: its subscription has ended already")
        return SubscriptionNotFoundError(f"{subject}: there is no subscription; `perennial list` shows those there are")
    if isinstance(error, RPCError) and error.status in {
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.CANCELLED,
    }:
        return NoWorkerError(f"{subject}: no worker answers; start one with `perennial worker`")
    return SubscriptionError(f"{subject}: {error}")
