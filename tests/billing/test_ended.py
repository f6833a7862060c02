"""What goes on about a subscription after its end: disputes and refunds, by the rules of every dispute and refund."""

from decimal import Decimal

import pytest

from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.ended import EndedSubscription
from perennial_billing.billing.keys import late_refund_key
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.disputes import MOST_READINGS
from perennial_billing.billing.parts.ledger import Ledger
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.parts.refunds import MOST_READINGS as MOST_READINGS_OF_A_REFUND
from perennial_billing.billing.protocol.answers import DisputeAnswer, RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import CreateRefund, ReadDispute, ReadRefund
from perennial_billing.billing.protocol.events import Refresh, Thing
from perennial_billing.billing.protocol.recollection import Recalled, RecalledCharge, RecalledRefund
from perennial_billing.billing.refusals import Refused
from tests.billing.support import at

PERMISSION = "C01-1234567-1234567"
CHARGE = "S01-1-1-C000001"
DISPUTE = "S01-1-1-B000001"
OPENED = DisputeAnswer(charge_id=CHARGE, amount=Money.parse("12.50 EUR"), state="ActionRequired")
WON = OPENED.but(state="Resolved", resolution="MerchantWon")
NOT_SHOWN = DisputeAnswer(refused="UnauthorizedAccess")
NOW = at("2031-08-09 14:20")


def charge(period: int = 3, refunded: str | None = None) -> RecalledCharge:
    return RecalledCharge(
        period=period,
        due=at("2027-04-01 08:00"),
        amount=Money.parse("12.50 EUR"),
        charge_id=CHARGE,
        settled_at=at("2027-04-01 08:00"),
        refunded=Money.parse(refunded) if refunded else None,
    )


def known(*refunds: RecalledRefund, refunded: str | None = None) -> Recalled:
    return Recalled(
        is_known=True, told=14, merchant_account="shop", charges=(charge(refunded=refunded),), refunds=refunds
    )


def ended(recalled: Recalled | None = None) -> EndedSubscription:
    return EndedSubscription(charge_permission_id=PERMISSION).recalling(recalled or known())


def disputed() -> EndedSubscription:
    return ended().reported(Refresh(Thing.DISPUTE, DISPUTE), at("2027-05-02 08:00"))


def read(late: EndedSubscription, answer: DisputeAnswer, instant: str) -> EndedSubscription:
    command = late.next_command
    assert isinstance(command, ReadDispute)
    return late.answered(command, answer, at(instant))


def told(late: EndedSubscription) -> list[tuple[int, str]]:
    return [(notice.number, notice.type.value) for notice in late.outbox.notices]


def test_a_dispute_is_read_at_once_and_told_with_a_number_that_follows_the_subscriptions() -> None:
    late = disputed()
    assert late.next_command is not None
    assert (late.next_command.at, late.next_command.at_once) == (at("2027-05-02 08:00"), True)

    late = read(late, OPENED, "2027-05-02 08:01")

    (notice,) = late.outbox.notices
    assert (notice.number, notice.type.value, notice.period, notice.status) == (
        15,
        "dispute.opened",
        3,
        "ActionRequired",
    )
    assert late.next_command is None


def test_the_next_notification_begins_with_what_is_known() -> None:
    late, refresh = read(disputed(), OPENED, "2027-05-02 08:01"), Refresh(Thing.DISPUTE, DISPUTE)
    same = read(late.reported(refresh, at("2027-05-03 08:00")), OPENED, "2027-05-03 08:01")
    won = read(same.reported(refresh, at("2027-05-20 08:00")), WON, "2027-05-20 08:01")

    assert told(won) == [(15, "dispute.opened"), (16, "dispute.changed")]


def test_a_dispute_that_amazon_never_shows_is_told_twice_and_comes_to_an_end() -> None:
    late, readings = disputed(), 0
    while (command := late.next_command) is not None:
        late, readings = late.answered(command, NOT_SHOWN, command.at), readings + 1

    assert readings == MOST_READINGS
    assert [kind for _, kind in told(late)] == ["dispute.opened", "dispute.changed"]


def test_money_goes_back_under_a_key_of_its_name_up_to_what_is_left() -> None:
    wanted = RefundPeriod(charge_id=CHARGE, amount=Money.parse("5.25 EUR"), reference="ticket-81")
    late = ended(known(refunded="6.00 EUR")).asked(wanted, known(refunded="6.00 EUR"), NOW, "request-1")
    command = late.next_command
    assert isinstance(command, CreateRefund)
    again = ended(known(refunded="6.00 EUR")).asked(wanted, known(refunded="6.00 EUR"), NOW, "request-2").next_command

    assert (command.amount, command.period, command.at_once) == (Money.parse("5.25 EUR"), 3, True)
    assert isinstance(again, CreateRefund)
    assert again.idempotency_key == command.idempotency_key, "whoever forgets it all still gives it back once"
    assert late_refund_key(CHARGE, "ticket-81") == command.idempotency_key
    assert len({late_refund_key(of, name) for of in (CHARGE, "S01-1-1-C000002") for name in ("a", "b")}) == 4
    with pytest.raises(Refused, match=r"at most 1\.25 EUR is left"):
        late.asked(wanted.but(reference="ticket-82"), known(refunded="6.00 EUR"), NOW, "request-3")
    same = late.asked(wanted, known(refunded="6.00 EUR"), NOW, "request-4")
    assert len(same.refunds.latest) == 1
    with pytest.raises(Refused, match="another refund"):
        late.asked(wanted.but(amount=Money.parse("1.00 EUR")), known(), NOW, "request-5")


def test_how_a_refund_ends_is_told_with_its_name() -> None:
    wanted = RefundPeriod(period=3, reference="ticket-9")
    late = ended().asked(wanted, known(), NOW, "request-1")
    create = late.next_command
    assert isinstance(create, CreateRefund)
    late = late.answered(create, RefundAnswer(state=RefundState.PENDING, refund_id="S01-1-1-R000001"), NOW)
    look = late.next_command
    assert isinstance(look, ReadRefund)
    late = late.answered(look, RefundAnswer(state=RefundState.REFUNDED, refund_id="S01-1-1-R000001"), look.at)

    asked, notice = late.outbox.notices
    assert (asked.type.value, asked.request, asked.number) == ("subscription.changed", "refund", 15)
    assert (notice.type.value, notice.reference, notice.amount) == (
        "refund.completed",
        "ticket-9",
        Money.parse("12.50 EUR"),
    )
    record = late.ledger.record(3)
    assert record is not None
    assert record.refunded == Money.parse("12.50 EUR")
    assert late.reported(Refresh(Thing.REFUND, "S01-1-1-R000001"), NOW).next_command is None, "it is known"


@pytest.mark.parametrize("amount", [None, "4.00 EUR"])
def test_what_was_refunded_long_ago_under_the_same_name_is_not_refunded_again(amount: str | None) -> None:
    before = RecalledRefund(
        charge_id=CHARGE,
        refund_id="S01-1-1-R000001",
        amount=Money.parse("4.00 EUR"),
        state=RefundState.REFUNDED,
        reference="ticket-7",
        settled_at=at("2028-01-01 09:00"),
    )
    recalled = known(before, refunded="4.00 EUR")
    wanted = RefundPeriod(period=3, amount=Money.parse(amount) if amount else None, reference="ticket-7")

    late = ended(recalled).asked(wanted, recalled, NOW, "request-1")

    assert late.next_command is None
    (refund,) = late.refunds.latest
    assert (refund.refund_id, refund.state) == ("S01-1-1-R000001", RefundState.REFUNDED)
    with pytest.raises(Refused, match=r"a refund of 4\.00 EUR"):
        ended(recalled).asked(wanted.but(amount=Money.parse("3.00 EUR")), recalled, NOW, "request-2")


def test_a_refund_that_was_not_asked_for_here_is_read_told_and_counted_once() -> None:
    refresh = Refresh(Thing.REFUND, "S01-1-1-R000044")
    late = ended().reported(refresh, NOW).reported(refresh, NOW)
    command = late.next_command
    assert isinstance(command, ReadRefund)
    answer = RefundAnswer(
        state=RefundState.REFUNDED, refund_id="S01-1-1-R000044", charge_id=CHARGE, amount=Money.parse("2.00 EUR")
    )
    late = late.answered(command, answer, NOW)

    assert late.next_command is None
    (notice,) = late.outbox.notices
    assert (notice.type.value, notice.period, notice.refund_id) == ("refund.completed", 3, "S01-1-1-R000044")
    with pytest.raises(Refused, match=r"at most 10\.50 EUR is left"):
        late.asked(RefundPeriod(period=3, amount=Money.parse("11.00 EUR")), known(), NOW, "request-1")
    assert late.reported(refresh, NOW).next_command is None


def test_what_amazon_tells_while_it_has_not_answered_may_be_our_own_refund() -> None:
    late = ended().asked(RefundPeriod(period=3), known(), NOW, "request-1")
    create = late.next_command
    assert isinstance(create, CreateRefund)
    late = late.reported(Refresh(Thing.REFUND, "S01-1-1-R000001"), NOW)
    assert late.next_command == create

    late = late.answered(create, RefundAnswer(state=RefundState.PENDING, refund_id="S01-1-1-R000001"), NOW)

    look = late.next_command
    assert isinstance(look, ReadRefund)
    assert look.number is not None
    assert late.refunds.reported == ()


def test_a_refund_that_amazon_never_shows_is_given_up() -> None:
    late, readings = ended().reported(Refresh(Thing.REFUND, "S01-1-1-R000099"), NOW), 0
    while (command := late.next_command) is not None:
        late = late.not_answered(command, "ResourceNotFound", command.at)
        readings += 1

    assert readings == MOST_READINGS_OF_A_REFUND
    again = late.reported(Refresh(Thing.REFUND, "S01-1-1-R000099"), NOW).next_command
    assert isinstance(again, ReadRefund), "it was never settled, so what Amazon tells of it is news"


def test_what_the_ledger_knows_is_beside_what_is_remembered_and_the_larger_refund_counts() -> None:
    remembered = ended(known(refunded="6.00 EUR"))
    later = remembered.recalling(known(refunded="2.00 EUR")).ledger.record(3)
    more = remembered.recalling(known(refunded="7.50 EUR")).ledger.record(3)

    assert later is not None
    assert later.refunded == Money.parse("6.00 EUR")
    assert more is not None
    assert more.refunded == Money.parse("7.50 EUR")


def test_a_replaced_one_says_where_to_ask() -> None:
    late = ended().but(successor="C01-7-7", outbox=Outbox(told=3), ledger=Ledger())
    with pytest.raises(Refused, match="C01-7-7"):
        late.asked(RefundPeriod(period=0, amount=Money(amount=Decimal(1), currency="EUR")), known(), NOW, "request-1")


def test_what_is_told_under_numbers_that_the_ledger_knows_otherwise_is_numbered_on_and_a_known_refund_left_out() -> (
    None
):
    """Its workflow was set back: a refund that was told since is not told, and so not counted, a second time."""
    late = ended().reported(Refresh(Thing.REFUND, "S01-1-1-R000001"), at("2027-05-02 08:00"))
    command = late.next_command
    assert isinstance(command, ReadRefund)
    amount = Money.parse("2.25 EUR")
    refunded = RefundAnswer(state=RefundState.REFUNDED, refund_id="S01-1-1-R000001", charge_id=CHARGE, amount=amount)
    late = late.answered(command, refunded, at("2027-05-02 08:01"))
    late = read(late.reported(Refresh(Thing.DISPUTE, DISPUTE), at("2027-05-02 08:02")), OPENED, "2027-05-02 08:02")
    assert told(late) == [(15, "refund.completed"), (16, "dispute.opened")]

    after = late.numbered_on(known().but(told=17, refund_ids=("S01-1-1-R000001",)))

    assert told(after) == [(18, "dispute.opened")]
    assert after.outbox.told == 18
