"""Who asked for something, and why, is told with all that follows at once, and with nothing else."""

import pytest

from perennial_billing.billing.changes import Cancel, ChangePlan, PauseSubscription, When
from perennial_billing.billing.machine import ask
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.requests import Asker, Request
from tests.billing.support import CAPTURED, Life, at, terms

DESK = Asker(actor="support-desk", because="moved house")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (Cancel(when=When.RENEWAL), ["subscription.changed"]),
        (PauseSubscription(when=When.NOW), ["subscription.paused"]),
        (ChangePlan(quantity=3), ["plan.changed"]),
    ],
    ids=lambda value: value.kind if isinstance(value, Request) else "",
)
def test_what_follows_a_request_names_who_asked_and_why(request_: Request, told: list[str]) -> None:
    life = Life(terms("2027-03-05 09:00"))
    life.step(Action.CHARGE, "2027-03-05 09:00", CAPTURED)
    before = life.subscription

    after = ask(before, request_, at("2027-03-09 11:00"), ("r-1",), DESK)
    again = ask(after, request_, at("2027-03-09 11:05"), ("r-1",), Asker(actor="somebody else"))

    new = [notice for notice in after.outbox.notices if notice.number > before.outbox.told]
    assert [notice.type.value for notice in new] == told
    assert {(notice.actor, notice.because) for notice in new} == {("support-desk", "moved house")}
    assert {notice.actor for notice in after.outbox.notices if notice.number <= before.outbox.told} == {None}
    assert again.outbox == after.outbox, "asked again it is not told again"
