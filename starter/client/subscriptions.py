"""The merchant's way in: each thing that can be done with subscriptions, and what may come of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError

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
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT, Terms
from perennial_billing.billing.forecast.preview import DryRun, Upcoming
from perennial_billing.billing.money import Money
from perennial_billing.billing.refusals import Kind, Refused, refusal_of
from perennial_billing.billing.requests import NOBODY, Asker, Request
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import RefundView, SubscriptionView
from perennial_billing.runtime.temporal import result_of
from perennial_billing.starter.client import looking
from perennial_billing.starter.client.asking import ask_at, new_request_id
from perennial_billing.starter.client.explaining import explained
from perennial_billing.starter.client.recalling import OpensLedger, Recalling
from perennial_billing.starter.client.starting import Started, Starting
from perennial_billing.starter.errors import (
    RequestRefusedError,
    SubscriptionEndedError,
    SubscriptionError,
    SubscriptionNotFoundError,
)
from perennial_billing.starter.hindered import Hindered
from perennial_billing.starter.listing import Listed
from perennial_billing.starter.places import CALL_TIMEOUT, AfterTheEnd, Running
from perennial_billing.starter.reading import OpensAmazon
from perennial_billing.starter.stopped import Stopped
from perennial_billing.workflows.messages import (
    CancelRequest,
    CaptureResult,
    Changed,
    Outcome,
    Refunding,
    Replaced,
    Resolved,
    Retried,
)
from perennial_billing.workflows.names import MERCHANT_ACCOUNT, MERCHANT_REFERENCE, workflow_id
from perennial_billing.workflows.subscription import SubscriptionWorkflow

Asked = TypeVar("Asked", Changed, Retried, Resolved, Refunding, CaptureResult, Replaced)


NeedsConsent = Callable[[str], Awaitable[bool]]
"""Tells whether buyers of a merchant account have to agree to another plan."""


class Subscriptions:
    """Starts, shows, lists and cancels subscriptions.

    Args:
        client: connected with the project's data converter.
        task_queue: where the workers listen.
        needs_consent: whether a buyer has to agree to another plan in a new checkout, as in the EU and the UK; or what
            tells it of a merchant account, where their regions differ.
        ledger: opens the ledger, where something is to be found that Temporal does not know any more; without one, only
            what Temporal retains is found.
        amazon: opens a way to Amazon for a merchant account, by which charge permissions are read before anything is
            started; without one, only what is said to be unchecked is started.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        *,
        needs_consent: bool | NeedsConsent = False,
        ledger: OpensLedger | None = None,
        amazon: OpensAmazon | None = None,
    ) -> None:
        self._client, self._task_queue, self._needs_consent = client, task_queue, needs_consent
        self._recalling = Recalling(ledger)
        self._starting = Starting(client, task_queue, amazon, self._recalling)
        self._asker = NOBODY

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
        return await self._starting.start(
            terms,
            anchor_was_given=anchor_was_given,
            backdated=backdated,
            first_charge=first_charge,
            unchecked=unchecked,
            new_life=new_life,
        )

    async def adopt(self, subscription: Subscription) -> Started:
        """Starts a subscription as it stands, such as one that was billed elsewhere until now.

        Raises:
            SubscriptionConflictError: it was started with other terms; nothing was changed.
            SubscriptionEndedError: it has ended already.
        """
        return await self._starting.begin(subscription, None, anchor_was_given=True)

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
        return await looking.status(self._client, charge_permission_id)

    async def account_of(self, charge_permission_id: str) -> str | None:
        """The merchant account that a subscription is of, as Temporal retains it; None where it knows none.

        Raises:
            SubscriptionError: Temporal does not answer.
        """
        return await looking.account_of(self._client, charge_permission_id)

    async def standing(self, charge_permission_id: str) -> tuple[SubscriptionView, Stopped | None, Hindered | None]:
        """How it stands, what has ended its workflow from outside, and what keeps it from going on, if anything does.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
            HinderedError: it is paused, or its workers fail at it; says which, and what to do.
        """
        return await looking.standing(self._client, charge_permission_id)

    async def stopped(self, charge_permission_id: str) -> Stopped | None:
        """Whether, and how, a subscription's workflow was ended from outside, so that nobody bills it."""
        return await looking.stopped_of(self._client, charge_permission_id)

    async def hindered(self, charge_permission_id: str) -> Hindered | None:
        """What keeps a subscription's workflow from going on, as where it was paused, or its workers fail at it."""
        return await looking.hindered_of(self._client, charge_permission_id)

    async def upcoming(self, charge_permission_id: str, count: int = 12) -> list[Upcoming]:
        """The charges to come, up to 120, supposing that each succeeds.

        Raises:
            SubscriptionNotFoundError: there is none.
            NoWorkerError: no worker answers.
            Refused: the count is not accepted.
        """
        return await looking.upcoming(self._client, charge_permission_id, count)

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
        await self._check_consent(charge_permission_id, request)
        return await looking.dry_run(self._client, charge_permission_id, request, at)

    async def cancel(self, charge_permission_id: str, reason: str) -> None:
        """Asks a subscription to end; it closes the charge permission as soon as no charge is under way.

        A signal: it is safe once this returns, also where no worker is there.

        Raises:
            SubscriptionNotFoundError: there is none.
            SubscriptionEndedError: it has ended already.
        """
        handle = looking.handle_of(self._client, charge_permission_id)
        try:
            await handle.signal(SubscriptionWorkflow.cancel, CancelRequest(reason=reason), rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            raise explained(error, charge_permission_id) from error

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
            successor = ended.successor if ended else await self._recalling.successor_of(charge_permission_id)
            if successor is not None:
                return await self.refund(successor, wanted, request_id)
            if ended is None and not await self._recalling.is_known(charge_permission_id):
                raise gone from None
            place = AfterTheEnd(self._client, self._task_queue, charge_permission_id, ended)
            outcome = await ask_at(place, wanted, request_id, self._asker)
        return _as(Refunding, outcome).refund

    async def owner_of(self, charge_id: str) -> str:
        """The charge permission whose subscription has made a charge, as the ledger has it.

        Raises:
            SubscriptionNotFoundError: no entry of the ledger names it.
            LedgerError: the ledger cannot be used now.
        """
        return await self._recalling.owner_of(charge_id)

    async def _ended(self, charge_permission_id: str) -> SubscriptionView | None:
        """How a subscription ended, where Temporal still retains that."""
        try:
            return await result_of(looking.handle_of(self._client, charge_permission_id), CALL_TIMEOUT)
        except RPCError as error:
            raise explained(error, charge_permission_id) from error

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
        await self._check_consent(charge_permission_id, request)
        place = Running(self._client, charge_permission_id)
        return await ask_at(place, request, request_id or new_request_id(), self._asker)

    async def _check_consent(self, charge_permission_id: str, request: Request) -> None:
        if not isinstance(request, ChangePlan) or request.consented:
            return
        needs = self._needs_consent
        if not isinstance(needs, bool):
            needs = await needs(await self.account_of(charge_permission_id) or DEFAULT_ACCOUNT)
        if needs:
            why = (
                "in the EU and the UK Amazon wants the buyer to agree to another plan: have the buyer check out again, "
                "replace the charge permission, and say so (consented)"
            )
            raise RequestRefusedError(charge_permission_id, Refused("consented", "", why, Kind.NOT_NOW))

    def list(
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
        return looking.listed(self._client, status=status, past_due=past_due, ended=ended, query=query, lag=lag)


def _as(kind: type[Asked], outcome: Outcome) -> Asked:
    if not isinstance(outcome, kind):
        raise SubscriptionError(f"the subscription answered {outcome.kind}, which is no answer to this request")
    return outcome
