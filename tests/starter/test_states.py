"""The tables of docs/states.md are those of the rules, leave nothing out, and leave nobody without a hint."""

from perennial_billing.billing.couplings.disputes import DISPUTED
from perennial_billing.billing.couplings.pauses import PAUSED
from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, PERMISSION_REASONS
from perennial_billing.billing.dunning.rules import AMOUNT_ABOVE_LIMIT
from perennial_billing.billing.parts.collection import EARLIER_CHARGE, MISSED_PERIODS
from perennial_billing.billing.parts.refunds import EARLIER_REFUND
from perennial_billing.billing.parts.unanswered import OUTCOME_UNKNOWN
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import AMOUNT_UNKNOWN
from tests.starter.states import PAGE, Row, rows, with_tables

OURS = {
    *(AMOUNT_ABOVE_LIMIT, AMOUNT_UNKNOWN, DISPUTED, EARLIER_CHARGE),
    *(EARLIER_REFUND, MISSED_PERIODS, OUTCOME_UNKNOWN, PAUSED),
}
AS_WISHED = {
    *(NoticeType.SUBSCRIPTION_STARTED, NoticeType.PERIOD_PAID, NoticeType.PERIOD_FREE, NoticeType.PERIOD_SKIPPED),
    *(NoticeType.CHARGE_UPCOMING, NoticeType.TRIAL_ENDING, NoticeType.RENEWAL_UPCOMING, NoticeType.PRICE_CHANGING),
    *(NoticeType.REFUND_COMPLETED, NoticeType.SUBSCRIPTION_RESUMED, NoticeType.PAYMENT_METHOD_MENDED),
    NoticeType.SUBSCRIPTION_CONTINUED,
}
"""Told where all goes well."""


def found() -> tuple[Row, ...]:
    return tuple(row for _, table in rows() for row in table)


def test_the_page_holds_the_tables_that_the_rules_give() -> None:
    page = PAGE.read_text()

    assert page == with_tables(page), "bring it up to date: python -m tests.starter.states"


def test_every_reason_code_every_status_and_every_notice_of_trouble_is_in_it() -> None:
    of_charges, of_permissions = ("\n".join(row.what for row in table) for _, table in rows()[:2])
    text = "\n".join(cell for row in found() for cell in row)

    assert {code for code in CHARGE_REASONS if f"`{code}`" not in of_charges} == set()
    assert {code for code in PERMISSION_REASONS if f"`{code}`" not in of_permissions} == set()
    assert {code for code in OURS if code not in text} == set()
    assert {status for status in Status if f"`{status.value}`" not in text} == set()
    assert {kind for kind in NoticeType if f"`{kind.value}`" not in text} == AS_WISHED


def test_who_needs_somebody_has_a_reason_a_mark_in_the_list_and_a_notice() -> None:
    needy = [row for row in found() if row.attention]

    assert [row.what for row in needy if not row.reason] == []
    assert [row.what for row in needy if "!`" not in row.listed] == []
    assert [row.what for row in needy if not row.told] == []
    assert [row.what for row in found() if "!`" in row.listed and not row.attention] == []


def test_where_nothing_follows_by_itself_it_is_said_what_can_be_done_unless_it_has_ended() -> None:
    stuck = [row for row in found() if row.next == "nothing" and row.attention]

    assert stuck
    assert [row.what for row in stuck if "`perennial " not in row.also] == []
