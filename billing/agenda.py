"""What a subscription does next: of all that its parts want, the first."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from perennial_billing.billing.expiry import expiry_command
from perennial_billing.billing.foresight import foreseen, question_at
from perennial_billing.billing.parts.collection import Collection
from perennial_billing.billing.parts.lifecycle import Active, AwaitingCheckout, Closing
from perennial_billing.billing.parts.renewal import AmountUnknown
from perennial_billing.billing.parts.stages import Charging, CheckingCharge, Stage, Starting, Unpaid
from perennial_billing.billing.plan.policy import NextDue
from perennial_billing.billing.protocol.commands import (
    Action,
    AskAmount,
    CaptureCharge,
    Command,
    CreateCharge,
    ReadPermission,
    Timer,
    UpdatePermission,
    elapse,
)
from perennial_billing.billing.subscription import Subscription


def next_command(subscription: Subscription) -> Command | None:
    """What is done next of all that stands; None where somebody has to decide, it has ended, or it has diverged.

    What follows at once from what happened goes before what waits for its time; of that, the earliest.
    """
    return None if _rests(subscription) else _first(_commands(subscription))


def next_that_matters(subscription: Subscription) -> Command | None:
    """What is done next, as whoever has changed something wants to know it.

    That Amazon is told of the new plan is left out: it follows at once, and says nothing of what is charged when.
    """
    if _rests(subscription):
        return None
    return _first(each for each in _commands(subscription) if not isinstance(each, UpdatePermission))


def _rests(subscription: Subscription) -> bool:
    """Whether nothing is done by itself: it has ended, or the ledger knows more of it."""
    return subscription.has_ended or subscription.divergence is not None


def _first(commands: Iterable[Command]) -> Command | None:
    waiting = []
    for command in commands:
        if command.at_once:
            return command
        waiting.append(command)
    return min(waiting, key=lambda command: command.at, default=None)


def _commands(subscription: Subscription) -> Iterator[Command]:
    """All that stands, the more pressing first."""
    yield from _insisting(subscription)
    identifier = subscription.terms.charge_permission_id
    cancellation, successor = subscription.lifecycle.cancellation, subscription.lifecycle.successor
    if cancellation is not None and cancellation_is_due(subscription):
        at = cancellation.at
        yield elapse(Timer.CANCELLATION, at, "a cancellation was asked for", at_once=True, urgent=True)
    if successor is not None and can_hand_over(subscription):
        yield successor.next_command
    if subscription.can_be_ended and not subscription.awaits_checkout and cancellation is None:
        yield from _those([subscription.permission.tell(identifier, subscription.contract.recurrence)])
    pauses = isinstance(subscription.lifecycle.stage, Active) and not subscription.is_over
    for planned in subscription.lifecycle.planned_commands(pauses=pauses):
        if planned.action is not Action.RESUME or subscription.collection is None:
            yield planned
    yield from _those([main_command(subscription)])
    yield from (authorization.next_command for authorization in subscription.authorizations)
    yield from subscription.refunds.commands
    yield from _those(dispute.next_command for dispute in subscription.disputes.latest)
    if subscription.can_be_ended and subscription.collection is not None:
        yield from _those([subscription.collection.grace_command])
    yield from _those([subscription.permission.look(identifier)])
    yield from _those([expiry_command(subscription)])
    yield from _ahead(subscription)


def _ahead(subscription: Subscription) -> Iterator[Command]:
    """What is told, and asked, before the next period falls due."""
    at = min((each.at for each in foreseen(subscription)), default=None)
    if at is not None:
        yield elapse(Timer.AHEAD, at, f"you are told of period {subscription.next_period} before it falls due")
    asked_at = question_at(subscription)
    if asked_at is not None:
        yield elapse(Timer.QUESTION, asked_at, f"you are asked what period {subscription.next_period} costs")


def _insisting(subscription: Subscription) -> Iterator[Command]:
    """What may have taken the owed period's money, and was not answered: nothing is done before that is known."""
    command = main_command(subscription) if subscription.unanswered.outcome_is_open else None
    call = subscription.unanswered.find(command) if isinstance(command, CreateCharge | CaptureCharge) else None
    if command is not None and call is not None:
        yield command.but(at_once=True, urgent=True, until_answered=True, why=f"{command.why}; {call}")


def without_what_is_over(subscription: Subscription) -> Subscription:
    """Without unanswered calls that are not made any more."""
    if not subscription.unanswered.calls:
        return subscription
    standing = [] if subscription.has_ended else list(_commands(subscription))
    return subscription.but(unanswered=subscription.unanswered.of_those(standing))


def main_command(subscription: Subscription) -> Command | None:
    """What is done next for the period that is owed or to come, or for the end; this is what notices tell."""
    if isinstance(subscription.lifecycle.stage, AwaitingCheckout | Closing):
        cancels = subscription.policy.cancel_pending_charges
        return subscription.lifecycle.next_command(subscription.terms.charge_permission_id, cancels_pending=cancels)
    if subscription.collection is not None:
        return _with_precedence(subscription, _bounded_by_next_due(subscription, subscription.collection))
    return _renewal_command(subscription) if isinstance(subscription.lifecycle.stage, Active) else None


def _with_precedence(subscription: Subscription, command: Command | None) -> Command | None:
    """A charge says whether it is for a year or more: of those that fall due together, it goes first."""
    if isinstance(command, CreateCharge) and subscription.lasts_a_year(command.attempt.period):
        return command.but(for_a_year=True)
    return command


def _renewal_command(subscription: Subscription) -> Command | None:
    """Waits for the next period, or for the end of the last one; while it is paused, for nothing."""
    number, schedule = subscription.next_period, subscription.schedule
    due = schedule.due(number)
    if not schedule.has_period(number):
        return elapse(Timer.TERM, due, f"the periods of the plan are over ({number})")
    if subscription.is_paused_over(number):
        return None
    asking = subscription.renewal.asking(number)
    if asking is not None:
        return _ask_amount(subscription, number, asking.at)
    at = subscription.renewal.earliest(number, subscription.collected_at(number))
    amount = subscription.bill().amount
    why = f"period {number} falls due: {amount}"
    if isinstance(unknown := subscription.renewal.amount, AmountUnknown):
        said = unknown.why or "your endpoint has not said what it costs"
        why = f"period {number} fell due, and {said}; it is asked again"
    elif at == subscription.collected_at(number) != due:
        why = f"period {number} fell due on {due:%Y-%m-%d at %H:%M}, and it is its turn within the window: {amount}"
    elif at > due:
        why = f"period {number} fell due on {due:%Y-%m-%d} and is caught up: {amount}"
    return elapse(Timer.PERIOD, at, why)


def _ask_amount(subscription: Subscription, number: int, at: datetime) -> AskAmount:
    agreement, schedule = subscription.contract.agreement(number), subscription.schedule
    return AskAmount(
        charge_permission_id=subscription.terms.charge_permission_id,
        merchant_reference=subscription.terms.merchant_reference,
        plan_id=agreement.plan.plan_id,
        quantity=agreement.quantity,
        period=number,
        due=schedule.due(number),
        until=schedule.due(number + 1),
        at_most=subscription.price(number),
        at=at,
        at_once=True,
        why=f"What does period {number} cost?",
    )


def _bounded_by_next_due(subscription: Subscription, collection: Collection) -> Command | None:
    """A collection's command, or writing it off for the next period, where the policy says so and that is first."""
    command, following = collection.next_command, collection.period + 1
    dunning = collection.dunning
    if (
        command is None
        or dunning is None
        or dunning.policy.next_due is not NextDue.REPLACE
        or collection.open_attempt is not None
        or isinstance(collection.stage, Starting | Unpaid)
        or not subscription.schedule.has_period(following)
        or command.at < subscription.schedule.due(following)
    ):
        return command
    why = f"period {following} falls due, and period {collection.period} is written off for it"
    return elapse(Timer.NEXT_DUE, max(collection.decided_at, subscription.schedule.due(following)), why)


def only_looks_for_the_buyer(subscription: Subscription, command: Command) -> bool:
    """Whether a command only finds out whether the buyer of an unpaid subscription has done something: no charge is to
    be expected of it."""
    unpaid = subscription.collection is not None and isinstance(subscription.collection.stage, Unpaid)
    return unpaid and isinstance(command, ReadPermission) and command.planned


def cancellation_is_due(subscription: Subscription) -> bool:
    """Whether a requested cancellation can begin: a charge under way, or that Amazon is deciding on, is awaited."""
    collection = subscription.collection
    under_way = collection is not None and isinstance(collection.stage, Charging | CheckingCharge)
    charging = under_way and collection is not None and collection.word is not Stage.ON_HOLD
    pending = collection is not None and collection.word is Stage.PENDING
    wanted = subscription.lifecycle.cancellation is not None and subscription.can_be_ended
    charging = charging or subscription.unanswered.outcome_is_open
    return wanted and not charging and (not pending or subscription.policy.cancel_pending_charges)


def can_hand_over(subscription: Subscription) -> bool:
    """Whether it is to go on under another charge permission, and no attempt's outcome is awaited before.

    The other one is read only then: a reading from before would be a day old where Amazon takes that long to decide.
    """
    wanted = subscription.lifecycle.successor is not None and subscription.lifecycle.cancellation is None
    open_attempt = subscription.collection is not None and subscription.collection.open_attempt is not None
    return wanted and subscription.can_be_ended and not open_attempt


def hands_over(subscription: Subscription) -> bool:
    """Whether it is being started under another charge permission, or is about to."""
    successor = subscription.lifecycle.successor
    return successor is not None and successor.is_approved and can_hand_over(subscription)


def asks_about(subscription: Subscription, period: int) -> bool:
    """Whether what a period costs is what is waited for."""
    command = main_command(subscription)
    return isinstance(command, AskAmount) and command.period == period


def _those(commands: Iterable[Command | None]) -> Iterator[Command]:
    return (command for command in commands if command is not None)
