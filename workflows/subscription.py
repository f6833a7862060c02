"""The workflow of one subscription: what can be said to it, and asked of it. What it does is in `workflows.life`."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from perennial_billing.billing.forecast.preview import Upcoming, dry_run, upcoming
    from perennial_billing.billing.refusals import Refused
    from perennial_billing.billing.requests import Asker
    from perennial_billing.billing.subscription import Subscription
    from perennial_billing.billing.view import SubscriptionView, view_of
    from perennial_billing.workflows import signals
    from perennial_billing.workflows.life import Life
    from perennial_billing.workflows.messages import Answer, DryRunAnswer, Question, Refusal, Wish
    from perennial_billing.workflows.names import SUBSCRIPTION_WORKFLOW
    from perennial_billing.workflows.outcomes import outcome_of


@workflow.defn(name=SUBSCRIPTION_WORKFLOW)
class SubscriptionWorkflow:
    """One subscriber's life: from the first due date to the closed charge permission."""

    @workflow.init
    def __init__(self, subscription: Subscription) -> None:
        self._life = Life(subscription)

    @workflow.run
    async def run(self, subscription: Subscription) -> SubscriptionView:  # noqa: ARG002 - taken by __init__
        """Bills the subscriber until the subscription ends; returns how it stands then.

        Temporal's own cancellation, such as the Web UI's button, means the same as the signal: it must neither
        interrupt a charge under way nor leave the charge permission open.
        """
        living = asyncio.create_task(self._life.live())
        try:
            await asyncio.shield(living)
        except asyncio.CancelledError:
            if living.done():
                raise
            await self.cancel("Canceled in Temporal")
            await living
        return view_of(self._life.subscription)

    # What comes is taken as it is: `workflows.signals` says why, and what it means.

    @workflow.signal
    async def cancel(self, *request: object) -> None:
        """Ends the subscription: a charge under way is awaited, then the charge permission is closed.

        Takes a `CancelRequest`; a text is its reason.
        """
        await self._life.said(signals.cancellation(request))

    @workflow.signal
    async def instrument_updated(self, *notification: object) -> None:
        """The payment method, or the permission as a whole, may have changed: it is read before acting.

        Sent for Amazon's CHARGE_PERMISSION notifications, which do not say what changed, and by a merchant whose
        buyer has come back from the update page. Takes a `NotificationSignal`, or nothing.
        """
        await self._life.said(signals.look_at_permission(notification))

    @workflow.signal
    async def amazon_pay_notification(self, *notification: object) -> None:
        """Amazon's notification about a charge, a refund or a dispute: what it is about is read at once.

        Takes a `NotificationSignal`.
        """
        said = signals.look_at_object(notification)
        if said is not None:
            await self._life.said(said)

    @workflow.signal
    async def wake(self) -> None:
        """Changes nothing: a run that another release takes over from looks up, and goes on there."""

    @workflow.update
    async def request(self, wish: Wish) -> Answer:
        """Takes a request, and answers what came of it so far; `outcome` tells the rest, so that none blocks another.

        Raises:
            ApplicationError: of type `Refused`; nothing was changed.
        """
        return await self._life.answer(wish.request, wish.asker)

    @request.validator
    def _check_request(self, wish: Wish) -> None:
        self._life.check(wish.request)

    @workflow.update
    async def agree(self, asker: Asker) -> None:
        """Goes on with what the ledger has kept of it, where that is more than this workflow knows.

        Raises:
            ApplicationError: of type `Refused`; nothing was changed.
        """
        await self._life.agree(asker)

    @workflow.query
    def status(self) -> SubscriptionView:
        """How it stood when the workflow last did something."""
        return view_of(self._life.subscription)

    @workflow.query
    def state(self) -> Subscription:
        """All that it knows, as it would be carried to another run."""
        return self._life.subscription

    @workflow.query
    def outcome(self, request_id: str) -> Answer:
        """What became of a request, by its id."""
        return Answer(outcome=outcome_of(self._life.subscription, request_id))

    @workflow.query
    def upcoming(self, count: int) -> list[Upcoming]:
        """The next charges: when, how much and why, supposing that each succeeds; at most 120."""
        return upcoming(self._life.subscription, count, workflow.now())

    @workflow.query
    def dry_run(self, question: Question) -> DryRunAnswer:
        """What a request would come to: what would be charged at once, and next."""
        try:
            return DryRunAnswer(dry_run=dry_run(self._life.subscription, question.request, question.at))
        except Refused as refused:
            return DryRunAnswer(refusal=Refusal.of(refused))
