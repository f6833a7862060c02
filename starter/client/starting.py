"""Starting a subscription: what is read at Amazon before, and what is found where it was started already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from perennial_billing.billing.chargeable import check_chargeable
from perennial_billing.billing.contract.terms import Terms, check_anchor
from perennial_billing.billing.first_charge import begun_with
from perennial_billing.billing.lives import begun_again
from perennial_billing.billing.refusals import Refused, refusal_of
from perennial_billing.billing.subscription import Subscription
from perennial_billing.runtime.temporal import is_unknown
from perennial_billing.starter.client.explaining import explained
from perennial_billing.starter.client.looking import handle_of, stopped_of
from perennial_billing.starter.client.recalling import Recalling
from perennial_billing.starter.errors import (
    RequestRefusedError,
    SubscriptionConflictError,
    SubscriptionEndedError,
    SubscriptionError,
)
from perennial_billing.starter.lives import not_ended
from perennial_billing.starter.places import CALL_TIMEOUT
from perennial_billing.starter.reading import OpensAmazon
from perennial_billing.workflows.memo import FIRST_CHARGE_MEMO, TERMS_MEMO, differing
from perennial_billing.workflows.names import AMAZONS_NAME, workflow_id
from perennial_billing.workflows.starting import start_options
from perennial_billing.workflows.subscription import SubscriptionWorkflow


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


def shares_reference(terms: Terms, others: Sequence[str]) -> str:
    """That others go by the same merchant reference, in one sentence; nothing where there is none."""
    if not others:
        return ""
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    of = f"charge permission {others[0]}{more}"
    return f"merchant reference {terms.merchant_reference!r} is that of {of} too; one customer may be billed twice"


class Starting:
    """Starts subscriptions.

    Args:
        client: connected with the project's data converter.
        task_queue: where the workers listen.
        amazon: opens a way to Amazon; without one, only what is said to be unchecked is started.
        recalling: knows who has lived under a charge permission before.
    """

    def __init__(self, client: Client, task_queue: str, amazon: OpensAmazon | None, recalling: Recalling) -> None:
        self._client, self._task_queue, self._amazon, self._recalling = client, task_queue, amazon, recalling

    async def start(
        self,
        terms: Terms,
        *,
        anchor_was_given: bool,
        backdated: bool,
        first_charge: str | None,
        unchecked: bool,
        new_life: bool,
    ) -> Started:
        """See `Subscriptions.start`."""
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
        return await self.begin(subscription, first_charge, anchor_was_given=anchor_was_given, new_life=new_life)

    async def begin(
        self, subscription: Subscription, first_charge: str | None, *, anchor_was_given: bool, new_life: bool = False
    ) -> Started:
        """Starts a subscription as it stands, which is read nowhere any more.

        Raises:
            SubscriptionConflictError: it was started with other terms, or another first charge; nothing was changed.
            SubscriptionEndedError: it has ended already.
        """
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
            raise explained(error, terms.charge_permission_id) from error
        except WorkflowAlreadyStartedError:
            description = await handle_of(self._client, terms.charge_permission_id).describe(rpc_timeout=CALL_TIMEOUT)
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
        life = await self._recalling.earlier_life(identifier)
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

    async def _checked(
        self, terms: Terms, first_charge: str | None, *, anchor_was_given: bool, unchecked: bool
    ) -> Subscription:
        """The subscription as it begins, after what Amazon says of its charge permission and of its first charge."""
        identifier, now = terms.charge_permission_id, datetime.now(UTC)
        if self._amazon is None:
            why = "nothing reads it at Amazon before it is started: give `Subscriptions` a way to Amazon (`amazon`)"
            raise SubscriptionError(f"charge permission {identifier}: {why}, or start it `unchecked`")
        try:
            async with self._amazon(terms.merchant_account) as amazon:
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

    async def _described(self, charge_permission_id: str) -> WorkflowExecutionDescription | None:
        """What Temporal knows of it; None where it was never started, or ended so long ago that it is forgotten."""
        try:
            return await handle_of(self._client, charge_permission_id).describe(rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            if is_unknown(error):
                return None
            raise explained(error, charge_permission_id) from error

    async def _refuse_other_terms(
        self,
        description: WorkflowExecutionDescription,
        terms: Terms,
        first_charge: str | None,
        *,
        anchor_was_given: bool,
    ) -> None:
        if description.status is not WorkflowExecutionStatus.RUNNING:
            found = await stopped_of(self._client, terms.charge_permission_id)
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
