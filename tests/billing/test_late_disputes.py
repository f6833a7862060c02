"""A dispute that Amazon reports after the end: told by itself, by the rules of every dispute."""

from perennial_billing.billing.late_disputes import LateDispute
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.disputes import MOST_READINGS
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.protocol.answers import DisputeAnswer
from tests.billing.support import at

OPENED = DisputeAnswer(charge_id="S01-1-1-C000001", amount=Money.parse("12.50 EUR"), state="ActionRequired")
WON = OPENED.but(state="Resolved", resolution="MerchantWon")
NOT_SHOWN = DisputeAnswer(refused="UnauthorizedAccess")


def reported() -> LateDispute:
    late = LateDispute(
        charge_permission_id="C01-1234567-1234567",
        dispute_id="S01-1-1-B000001",
        periods={"S01-1-1-C000001": 3},
        outbox=Outbox(told=14),
    )
    return late.reported(at("2027-05-02 08:00"))


def test_it_is_read_at_once_and_told_with_a_number_that_follows_the_subscriptions() -> None:
    late = reported()
    assert late.next_command is not None
    assert (late.next_command.at, late.next_command.at_once) == (at("2027-05-02 08:00"), True)

    late = late.answered(OPENED, at("2027-05-02 08:01"))

    (notice,) = late.outbox.notices
    assert (notice.number, notice.type.value, notice.period, notice.status) == (
        15,
        "dispute.opened",
        3,
        "ActionRequired",
    )
    assert late.next_command is None


def test_the_next_notification_begins_with_what_is_known() -> None:
    late = reported().answered(OPENED, at("2027-05-02 08:01"))
    same = late.reported(at("2027-05-03 08:00")).answered(OPENED, at("2027-05-03 08:01"))
    won = same.reported(at("2027-05-20 08:00")).answered(WON, at("2027-05-20 08:01"))

    assert [(notice.number, notice.type.value) for notice in won.outbox.notices] == [
        (15, "dispute.opened"),
        (16, "dispute.changed"),
    ]


def test_one_that_amazon_never_shows_is_told_twice_and_comes_to_an_end() -> None:
    late, readings = reported(), 0
    while (command := late.next_command) is not None:
        late, readings = late.answered(NOT_SHOWN, command.at), readings + 1

    assert readings == MOST_READINGS
    assert [notice.type.value for notice in late.outbox.notices] == ["dispute.opened", "dispute.changed"]
