"""Every row of the table of collecting, on a real server: an answer of Amazon's, and what follows it.

A row says which attempts are made in the fortnight after the due date, counted in hours from it, how the subscription
then stands, and what the merchant is told, and no more.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, NamedTuple

import pytest
from _pytest.mark import ParameterSet

from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.refusals import STATUS_OF
from perennial_billing.billing.dunning.months import limited_month
from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, PERMISSION_REASONS, Meaning
from perennial_billing.billing.plan.policy import CollectionPolicy, FinalAction
from perennial_billing.billing.status import Status
from perennial_billing.sandbox.stage import Stage
from tests.endpoint import Endpoint
from tests.scenarios.story import Story, pending_charge_of
from tests.scenarios.test_notices import kinds

POLICY: Final = CollectionPolicy(grace=timedelta(days=60), payment_method_reminders=(timedelta(days=3),))
"""The defaults but for the grace, and with one reminder, so that a row tells of the answer alone."""

UNTIL: Final = timedelta(days=10)
MADE_WHEN_HELD: Final = 3
"""A held attempt is sent again hourly; three times here, and then Amazon takes it."""


class Row(NamedTuple):
    """What follows an answer.

    Attributes:
        hours: of the attempts that reach Amazon, from the due date.
        status: after ten days.
        notices: beside those of the start and of the payment.
        keys: how many different idempotency keys the calls carry.
    """

    hours: tuple[float, ...]
    status: Status
    notices: tuple[str, ...]
    keys: int


SOFT: Final = Row((0, 12), Status.ACTIVE, ("charge.declined", "period.paid"), 2)
QUICK: Final = Row((0, 5 / 60), Status.ACTIVE, ("charge.declined", "period.paid"), 2)
FOR_THE_BUYER: Final = Row(
    (0,), Status.AWAITING_PAYMENT_METHOD, ("payment_method.needed", "payment_method.reminder"), 1
)
GONE: Final = Row((0,), Status.AWAITING_CHECKOUT, ("charge_permission.closed",), 1)
HELD: Final = Row((0, 1, 2, 3), Status.ACTIVE, ("subscription.held", "period.paid"), 1)
TIMED_OUT: Final = Row((0, 12), Status.ACTIVE, ("charge.declined", "charge.pending", "period.paid"), 2)
"""The next attempt lets Amazon take its time; here it does not, and the capture follows at once."""

ROW_OF: Final[Mapping[Meaning, Row]] = {
    Meaning.SOFT: SOFT,
    Meaning.PROCESSING: QUICK,
    Meaning.PAYMENT_METHOD: FOR_THE_BUYER,
    Meaning.PERMISSION_GONE: GONE,
    Meaning.ASK_PERMISSION: QUICK,
    Meaning.OPERATOR: HELD,
}

SYNCHRONOUS: Final = sorted(
    code
    for code, meaning in CHARGE_REASONS.items()
    if code in STATUS_OF and meaning is not Meaning.MONTHLY_LIMIT
    if meaning is not Meaning.OPERATOR or STATUS_OF[code] < HTTPStatus.CONFLICT
)
"""The codes with which Create Charge answers at once. The others are those of a charge that was pending."""


async def attempts_of(story: Story) -> list[float]:
    """Hours from the due date to each call, to the hundredth."""
    due = story.terms.schedule.due(0)
    instants = [datetime.strptime(call.at, TIMESTAMP_FORMAT).replace(tzinfo=UTC) for call in await story.calls()]
    return [round((instant - due).total_seconds() / 3600, 1) for instant in instants]


def one_of_each(codes: Sequence[str], rows: Mapping[str, object]) -> list[ParameterSet]:
    """All codes; of those with the same row in the table all but the first take long for what they add."""
    first: dict[object, str] = {}
    for code in codes:
        first.setdefault(rows.get(code), code)
    return [pytest.param(code, marks=[] if code in first.values() else [pytest.mark.long]) for code in codes]


@pytest.mark.parametrize("code", one_of_each([*SYNCHRONOUS, "ACodeThatNobodyKnows"], CHARGE_REASONS))
async def test_an_answer_is_followed_by_what_its_row_says(house: Stage, notices: Endpoint, code: str) -> None:
    meaning = CHARGE_REASONS.get(code, Meaning.OPERATOR)
    row = TIMED_OUT if code == "TransactionTimedOut" else ROW_OF[meaning]
    times = MADE_WHEN_HELD if meaning is Meaning.OPERATOR else 1
    status_code = STATUS_OF.get(code, 400)
    plain = code in {"SoftDeclined", "HardDeclined", "AmazonRejected"}  # those do something to the permission, too
    answer = ScriptedAnswer(code=code, status=None if plain else status_code)
    story = await Story.begin(house, script=[answer] * times, collection=POLICY)
    await story.until_due(0)

    status = await story.after(UNTIL)

    calls = await story.calls()
    assert await attempts_of(story) == [round(hour, 1) for hour in row.hours]
    assert len({call.idempotency_key for call in calls}) == row.keys
    assert status.status is row.status
    assert (await kinds(notices, story))[1:] == list(row.notices)
    captured = await story.charges()
    assert len(captured) == (1 if row.status is Status.ACTIVE else 0)
    assert all(charge.charge_amount.amount == story.terms.plan.regular.amount.amount for charge in captured)


@pytest.mark.parametrize(
    "code",
    one_of_each(
        sorted(code for code in CHARGE_REASONS if code not in STATUS_OF and code != "InvalidAPIVersion"),
        CHARGE_REASONS,
    ),
)
async def test_a_pending_charge_that_ends_otherwise_is_followed_by_what_its_row_says(
    house: Stage, notices: Endpoint, code: str
) -> None:
    row = ROW_OF[CHARGE_REASONS[code]]
    story = await Story.begin(house, script=["AuthorizationInitiated"], collection=POLICY)
    status = await story.until_due(0)
    await house.simulator.decide_charge(pending_charge_of(status), code, at=await story.now())
    await story.quiet()

    status = await story.after(UNTIL)

    told = (await kinds(notices, story))[1:]
    assert told[0] == "charge.pending"
    if CHARGE_REASONS[code] is Meaning.OPERATOR:
        assert (status.status, told[1:]) == (Status.ON_HOLD, ["subscription.held"])
        assert len(await story.calls()) == 1, "its key is answered with the charge that was canceled, for ever"
        await house.subscriptions.retry_now(story.charge_permission_id)
        status = await story.quiet()
        assert (status.periods_paid, status.ledger[0].attempts) == (1, 2)
    else:
        assert (status.status, told[1:]) == (row.status, list(row.notices))


@pytest.mark.parametrize(
    "code",
    one_of_each(
        ["InvalidChargeStatus", "AmountMismatch", "ANewCode"],
        dict.fromkeys(["InvalidChargeStatus", "AmountMismatch"], "refused"),
    ),
)
async def test_what_is_refused_for_ever_stays_in_plain_sight_with_its_key(
    house: Stage, notices: Endpoint, code: str
) -> None:
    story = await Story.begin(house, script=[ScriptedAnswer(code=code, status=422)], collection=POLICY)
    await story.until_due(0)

    status = await story.after(timedelta(hours=5))

    assert (status.status, status.last_reason) == (Status.ON_HOLD, code)
    assert len({call.idempotency_key for call in await story.calls()}) == 1
    assert (await kinds(notices, story))[1:] == ["subscription.held"]


async def test_the_monthly_limit_waits_for_the_next_month_and_spends_no_attempt(
    house: Stage, notices: Endpoint
) -> None:
    story = await Story.begin(house, script=["PeriodicAmountExceeded"], collection=POLICY)
    status = await story.until_due(0)
    assert status.next is not None
    due = story.terms.schedule.due(0)
    assert status.next.at == limited_month(due, "UTC").look_at

    status = await story.until(status.next.at)

    assert (status.ledger[0].attempts, status.periods_paid) == (2, 1)
    assert len({call.idempotency_key for call in await story.calls()}) == 2
    assert (await kinds(notices, story))[1:] == ["monthly_limit.reached", "period.paid"]


@pytest.mark.parametrize("reason", one_of_each(sorted(PERMISSION_REASONS), PERMISSION_REASONS))
async def test_a_permission_that_cannot_be_charged_is_followed_by_what_its_reason_says(
    house: Stage, notices: Endpoint, reason: str
) -> None:
    story = await Story.begin(house, collection=POLICY)
    await story.quiet()
    await house.simulator.break_payment_method(story.charge_permission_id, reason, await story.now())
    await story.quiet()

    status = await story.until_due(0)

    expected = {
        Meaning.PAYMENT_METHOD: (Status.AWAITING_PAYMENT_METHOD, ["payment_method.needed", "payment_method.needed"]),
        Meaning.PROCESSING: (Status.RETRYING, []),
        Meaning.OPERATOR: (Status.ON_HOLD, ["subscription.held", "subscription.held"]),
    }
    assert (status.status, (await kinds(notices, story))[1:]) == expected[PERMISSION_REASONS[reason]]
    await house.simulator.mend_payment_method(story.charge_permission_id, await story.now())
    await story.quiet()
    status = await story.after(timedelta(hours=1))
    assert (status.status, status.periods_paid) == (Status.ACTIVE, 1)


@pytest.mark.parametrize(
    "reason",
    one_of_each(
        ["BuyerClosed", "BuyerCanceled", "AmazonClosed", "AmazonCanceled", "Expired", "ANewReason"],
        dict.fromkeys(["BuyerClosed", "BuyerCanceled", "AmazonClosed", "AmazonCanceled", "Expired"], "closed"),
    ),
)
async def test_a_closed_permission_is_told_at_once_whoever_closed_it(
    house: Stage, notices: Endpoint, reason: str
) -> None:
    story = await Story.begin(house, collection=POLICY)
    await story.quiet()
    await house.simulator.close_by_buyer(story.charge_permission_id, await story.now(), reason)

    status = await story.quiet()

    assert (status.status, status.last_reason) == (Status.AWAITING_CHECKOUT, reason)
    assert (await kinds(notices, story))[1:] == ["charge_permission.closed"]


@pytest.mark.parametrize(
    ("action", "status", "told"),
    [
        pytest.param(FinalAction.PAUSE, Status.UNPAID, ["subscription.unpaid"], marks=pytest.mark.long),
        (FinalAction.CANCEL, Status.WRITTEN_OFF, ["period.written_off", "subscription.ended"]),
        pytest.param(FinalAction.MARK_UNPAID, Status.ACTIVE, ["period.written_off"], marks=pytest.mark.long),
    ],
)
async def test_the_final_action_is_the_policys(
    house: Stage, notices: Endpoint, action: FinalAction, status: Status, told: list[str]
) -> None:
    policy = POLICY.model_copy(update={"soft_decline_delays": (timedelta(days=1),), "final_action": action})
    story = await Story.begin(house, script=["SoftDeclined"] * 2, collection=policy)
    await story.until_due(0)

    ended = await story.after(timedelta(days=1))

    assert ended.status is status
    assert (await kinds(notices, story))[1:] == ["charge.declined", *told]
    assert (await story.permission_state() == "Closed") is (action is FinalAction.CANCEL)
