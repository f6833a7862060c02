"""The ledger knows more of a subscription than itself: nothing is done, what is said is kept, and then both agree."""

import pytest

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.changes import Cancel, SkipPeriod, When
from perennial_billing.billing.forecast.drive import CLOSED
from perennial_billing.billing.lives import brought_together
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.parts.divergence import LEDGER_AHEAD, MOST_HEARD
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.protocol.commands import Action, Timer
from perennial_billing.billing.protocol.events import (
    CancelAsked,
    Elapsed,
    Event,
    HandedOn,
    LedgerIsAhead,
    Refresh,
    Thing,
)
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import view_of
from tests.billing.support import CAPTURED, Life, at, terms

ANN = Asker(actor="ann", because="restored")
FOUND = "2027-05-05 09:00"


def forgetful(periods: int = 1) -> Life:
    """After so many paid periods, all of which were told, as it stands when it is found that the ledger knows more."""
    life = paid(periods)
    life.subscription = apply(life.subscription, LedgerIsAhead(17), at(FOUND))
    return life


def paid(periods: int) -> Life:
    life = Life(terms("2027-03-05 09:00"))
    for month in range(3, 3 + periods):
        life.step(Action.CHARGE, f"2027-0{month}-05 09:00", CAPTURED)
    told = [notice.number for notice in life.subscription.outbox.notices]
    life.subscription = apply(life.subscription, HandedOn(told), life.now)
    return life


def together(known: Subscription, stale: Subscription, told: int, canceled: CancelAsked | None = None) -> Subscription:
    return brought_together(stale, known, told, at("2027-05-07 10:00"), ANN, canceled)


def test_nothing_stands_and_everybody_sees_why() -> None:
    subscription = forgetful().subscription

    view = view_of(subscription)
    assert next_command(subscription) is None
    assert (view.status, view.last_reason, view.needs_attention) == (Status.ON_HOLD, LEDGER_AHEAD, True)
    assert (view.next, view.next_charge_at, view.ledger_told) == (None, None, 17)


@pytest.mark.parametrize("request_", [SkipPeriod(), Cancel(when=When.NOW)], ids=lambda request: request.kind)
def test_no_request_is_taken_on_what_may_not_be_so(request_: SkipPeriod | Cancel) -> None:
    subscription = forgetful().subscription

    with pytest.raises(Refused, match="perennial recover") as refused:
        ask(subscription, request_, at(FOUND))
    assert refused.value.kind is Kind.NOT_NOW


def test_what_is_said_is_kept_once_and_nothing_else_changes_anything() -> None:
    subscription = forgetful().subscription
    said: list[Event] = [Refresh(Thing.REFUND, "S01-R1"), CancelAsked("moves away"), Refresh(Thing.REFUND, "S01-R1")]

    after = subscription
    happened: list[Event] = [*said, Elapsed(Timer.PERIOD), LedgerIsAhead(18)]
    for event in happened:
        after = apply(after, event, at("2027-05-06 09:00"))

    assert after.divergence is not None
    assert after.divergence.heard == tuple(said[:2])
    assert after.but(divergence=None) == subscription.but(divergence=None)
    assert Subscription.model_validate_json(after.model_dump_json()) == after


def test_a_flood_of_notifications_makes_the_state_no_larger_and_a_cancellation_is_heard_all_the_same() -> None:
    after = forgetful().subscription
    for number in range(MOST_HEARD + 20):
        after = apply(after, Refresh(Thing.DISPUTE, f"D{number}"), at(FOUND))
    after = apply(after, CancelAsked("enough"), at(FOUND))

    assert after.divergence is not None
    assert len(after.divergence.heard) == MOST_HEARD + 1
    assert after.divergence.heard[-1] == CancelAsked("enough")


def test_it_goes_on_with_what_the_ledger_has_kept_and_says_so() -> None:
    known = paid(2).subscription

    after = together(known, forgetful(1).subscription, known.outbox.told)

    assert after.divergence is None
    assert (after.next_period, after.ledger) == (2, known.ledger)
    [told] = [notice for notice in after.outbox.notices if notice.number > known.outbox.told]
    assert (told.request, told.actor, told.because) == ("recover", "ann", "restored")
    command = next_command(after)
    assert command is not None
    assert (command.action, command.at_once) == (Action.READ_PERMISSION, True), "what was said of it may be lost"


def test_a_cancellation_that_only_the_forgetful_workflow_heard_is_one() -> None:
    known = paid(2).subscription
    stale = apply(forgetful(1).subscription, CancelAsked("said meanwhile"), at(FOUND))

    for after in (together(known, stale, 3), together(known, forgetful(1).subscription, 3, CancelAsked("said before"))):
        assert after.lifecycle.cancellation is not None


def test_an_end_that_was_planned_may_have_been_taken_back_so_it_is_none() -> None:
    planned = ask(paid(1).subscription, Cancel(when=When.RENEWAL), at("2027-03-09 10:00"))
    stale = apply(planned, Elapsed(Timer.PLANNED_END), at("2027-04-05 09:00"))
    stale = apply(stale, LedgerIsAhead(9), at("2027-04-05 09:01"))

    after = together(paid(2).subscription, stale, 3)

    assert (after.lifecycle.cancellation, after.lifecycle.planned_end, after.status) == (None, None, Status.ACTIVE)


def test_refunds_and_disputes_that_only_it_heard_of_are_read_again() -> None:
    stale = paid(1).subscription
    stale = apply(stale, Refresh(Thing.REFUND, "S01-R7"), at(FOUND))
    stale = apply(stale, Refresh(Thing.DISPUTE, "D-7"), at(FOUND))
    stale = apply(stale, LedgerIsAhead(9), at(FOUND))

    after = together(paid(2).subscription, stale, 3)

    assert [each.refund_id for each in after.refunds.reported] == ["S01-R7"]
    assert [each.dispute_id for each in after.disputes.latest] == ["D-7"]


def test_numbers_that_were_told_after_its_end_are_not_told_again() -> None:
    known = paid(2).subscription
    waiting = known.but(outbox=Outbox(told=3, notices=paid(1).subscription.outbox.notices))

    after = together(waiting, forgetful(1).subscription, 8)

    assert [notice.number for notice in after.outbox.notices] == [9]


def test_one_that_has_ended_by_the_ledger_ends() -> None:
    life = paid(1)
    life.cancel("2027-03-20 09:00")
    life.step(Action.CLOSE_PERMISSION, "2027-03-20 09:00", CLOSED)
    ended = life.subscription

    after = together(ended, forgetful(1).subscription, ended.outbox.told)

    assert (after, next_command(after)) == (ended, None)
    assert after.status is Status.CANCELED
