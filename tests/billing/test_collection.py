"""The decision table of collecting, row by row: what follows each answer to an attempt, when, and in which stage."""

from datetime import timedelta

import pytest

from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, PERMISSION_REASONS, Meaning
from perennial_billing.billing.dunning.rules import Awaits
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer
from perennial_billing.billing.protocol.commands import Action
from tests.billing.collecting import DAY, DUE, HOUR, LOST, MINUTE, Collecting
from tests.billing.support import PENDING, chargeable, closed, declined, non_chargeable, refused, unreadable

HELD = (Action.REPEAT_CHARGE, HOUR, Stage.ON_HOLD, 0, True)
ASK = (Action.READ_PERMISSION, timedelta(0), Stage.CHARGING, 1, False)
GONE = (LOST, timedelta(0), Stage.CHARGING, 1, False)
ASK_LIMIT = (Action.READ_PERMISSION, timedelta(0), Stage.CHARGING, 0, False)

# What follows the answer to an attempt: action, after, stage, attempts spent, whether the attempt stays open.
AFTER_A_DECLINE = {
    "SoftDeclined": ASK,
    "TransactionTimedOut": ASK,
    "ProcessingFailure": ASK,
    "HardDeclined": ASK,
    "PaymentMethodNotAllowed": ASK,
    "MFANotCompleted": ASK,
    "InvalidChargePermissionStatus": ASK,
    "ExpiredUnused": ASK,
    "AmazonCanceled": ASK,
    "BuyerCanceled": ASK,
    "PeriodicAmountExceeded": ASK_LIMIT,
    "AmazonRejected": GONE,
    "ChargePermissionCanceled": GONE,
}
AFTER_A_REFUSAL = {
    **{code: HELD for code, meaning in CHARGE_REASONS.items() if meaning is Meaning.OPERATOR},
    "PeriodicAmountExceeded": ASK_LIMIT,
    "InvalidChargePermissionStatus": ASK,
    "ACodeThatNobodyKnows": HELD,
}

# The first wait after each code where the permission is chargeable; None: the buyer has to mend it.
FIRST_WAIT = {
    "SoftDeclined": 12 * HOUR,
    "TransactionTimedOut": 12 * HOUR,
    "ExpiredUnused": 12 * HOUR,
    "AmazonCanceled": 12 * HOUR,
    "BuyerCanceled": 12 * HOUR,
    "ProcessingFailure": 5 * MINUTE,
    "InvalidChargePermissionStatus": 5 * MINUTE,
    "HardDeclined": None,
    "PaymentMethodNotAllowed": None,
    "MFANotCompleted": None,
}
AWAIT_BUYER = (Action.READ_PERMISSION, DAY, Stage.AWAITING_PAYMENT_METHOD)
LOOK_AGAIN = (Action.READ_PERMISSION, HOUR, Stage.RETRYING)
HOLD = (Action.READ_PERMISSION, HOUR, Stage.ON_HOLD)
END = (LOST, timedelta(0), Stage.CHARGING)
# What follows where the permission is not chargeable, whatever the charge's code was.
NOT_CHARGEABLE = [
    *((non_chargeable(code), AWAIT_BUYER) for code, meaning in PERMISSION_REASONS.items()
      if meaning is Meaning.PAYMENT_METHOD),
    (non_chargeable("ChargeInProgress"), LOOK_AGAIN),
    (non_chargeable("ChargeInProgress", "PaymentMethodInvalid"), AWAIT_BUYER),
    (non_chargeable("AReasonThatNobodyKnows", "ChargeInProgress"), LOOK_AGAIN),
    (non_chargeable("AReasonThatNobodyKnows", "PaymentMethodExpired"), AWAIT_BUYER),
    (non_chargeable("AReasonThatNobodyKnows"), HOLD),
    (non_chargeable("TransactionAmountExceeded"), HOLD),
    (non_chargeable("AmountNotSet"), HOLD),
    (non_chargeable(), HOLD),
    (unreadable(), HOLD),
    (PermissionAnswer.model_validate({"state": "unknown"}), HOLD),
    *((closed(code), END) for code in ("BuyerCanceled", "BuyerClosed", "AmazonClosed", "MerchantClosed", "Expired")),
    (closed(), END),
]  # fmt: skip


LEFT_TO_THE_MERCHANT = [
    *(code for code, meaning in CHARGE_REASONS.items() if meaning is Meaning.OPERATOR),
    *("ACodeThatNobodyKnows", "softdeclined", "", None),
]
"""What a charge is final with, and nobody can tell how to go on: its key would be answered so for ever."""

OF_AMAZONS_PAGES = {
    "AmazonCanceled",
    "AmazonRejected",
    "AmountMismatch",
    "BuyerCanceled",
    "ChargePermissionCanceled",
    "CurrencyMismatch",
    "DuplicateIdempotencyKey",
    "ExpiredUnused",
    "HardDeclined",
    "InvalidAPIVersion",
    "InvalidAccountStatus",
    "InvalidAuthentication",
    "InvalidAuthorizationToken",
    "InvalidChargePermissionStatus",
    "InvalidChargeStatus",
    "InvalidHeaderValue",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "InvalidRequest",
    "InvalidRequestFormat",
    "InvalidRequestSignature",
    "InvalidSandboxSimulationSpecified",
    "MFANotCompleted",
    "MerchantCanceled",
    "MissingHeader",
    "MissingHeaderValue",
    "MissingParameterValue",
    "PaymentMethodNotAllowed",
    "PeriodicAmountExceeded",
    "ProcessingFailure",
    "RequestNotSupported",
    "ResourceNotFound",
    "SoftDeclined",
    "TLSVersionNotSupported",
    "TransactionAmountExceeded",
    "TransactionCountExceeded",
    "TransactionTimedOut",
    "UnauthorizedAccess",
    "UnrecognizedField",
    "UnsupportedOperation",
}
"""Every reasonCode of an error that a charge can end in, and of a charge that is declined or canceled."""


def test_every_reason_code_of_amazons_pages_has_its_row() -> None:
    assert set(CHARGE_REASONS) == OF_AMAZONS_PAGES


@pytest.mark.parametrize("code", LEFT_TO_THE_MERCHANT)
def test_a_final_answer_that_nobody_understands_is_left_to_the_merchant(code: str | None) -> None:
    period = Collecting()
    period.begin_attempt()

    assert period.is_left_to_the_merchant(declined(code))

    assert (period.attempt_is_open, period.attempts_spent) == (False, 0)
    assert period.collection.held_for == (code or "no reason code")
    assert period.hear(chargeable()) is None, "the permission has no say in it"
    assert period.hear(closed("BuyerClosed")) is not None


def test_every_reason_code_that_the_rules_know_has_its_row_here() -> None:
    assert set(CHARGE_REASONS) <= {*AFTER_A_DECLINE, *LEFT_TO_THE_MERCHANT}
    assert set(FIRST_WAIT) == {code for code, row in AFTER_A_DECLINE.items() if row == ASK}


@pytest.mark.parametrize(("code", "row"), AFTER_A_DECLINE.items())
def test_what_follows_a_decline(code: str, row: tuple[Action | str, timedelta, Stage, int, bool]) -> None:
    period = Collecting()

    step = period.fail(code)

    assert row == (step.action, step.at - DUE, period.stage, period.attempts_spent, period.attempt_is_open)
    assert period.collection.attempts == 1
    assert period.collection.last_reason == (code or "no reason code")


@pytest.mark.parametrize(("code", "row"), AFTER_A_REFUSAL.items())
def test_what_follows_a_refusal(code: str, row: tuple[Action | str, timedelta, Stage, int, bool]) -> None:
    period = Collecting()
    period.begin_attempt()

    step = period.answer(refused(code))

    assert row == (step.action, step.at - DUE, period.stage, period.attempts_spent, period.attempt_is_open)


def test_an_answer_without_a_reason_code_is_held_and_says_so() -> None:
    period = Collecting()
    period.begin_attempt()

    step = period.answer(refused(None))

    assert (step.action, period.stage) == (Action.REPEAT_CHARGE, Stage.ON_HOLD)
    assert "no reason code" in step.why


def test_a_pending_charge_is_awaited_by_looking_at_it_hourly() -> None:
    period = Collecting()
    period.begin_attempt()

    for looks in range(3):
        step = period.answer(PENDING)
        assert (step.action, step.at - DUE) == (Action.READ_CHARGE, (looks + 1) * HOUR)
        period.now = step.at

    assert (period.stage, period.attempt_is_open, period.attempts_spent) == (Stage.PENDING, True, 0)
    assert period.collection.pending_charge_id == PENDING.charge_id
    assert period.first_failed_at is None


def test_a_pending_charge_that_is_declined_in_the_end_is_a_decline_like_any_other() -> None:
    period = Collecting()
    period.begin_attempt()
    period.now = period.answer(PENDING).at

    step = period.answer(declined("SoftDeclined"))

    assert (step.action, step.at) == (Action.READ_PERMISSION, DUE + HOUR)
    assert period.collection.pending_charge_id is None
    retry = period.must_read(chargeable())
    assert (retry.action, retry.at) == (Action.CHARGE, DUE + 13 * HOUR)


@pytest.mark.parametrize(("code", "wait"), FIRST_WAIT.items())
def test_what_follows_a_decline_when_the_permission_is_chargeable(code: str, wait: timedelta | None) -> None:
    period = Collecting()
    period.fail(code)

    step = period.must_read(chargeable())

    row = (Action.CHARGE, wait, Stage.RETRYING) if wait else AWAIT_BUYER
    assert (step.action, step.at - DUE, period.stage) == row
    assert code in step.why


@pytest.mark.parametrize("code", FIRST_WAIT)
@pytest.mark.parametrize(("answer", "row"), NOT_CHARGEABLE)
def test_what_follows_a_decline_when_the_permission_is_not_chargeable(
    code: str, answer: PermissionAnswer, row: tuple[Action | str, timedelta, Stage]
) -> None:
    period = Collecting()
    period.fail(code)

    step = period.must_read(answer)

    assert (step.action, step.at - DUE, period.stage) == row
    assert (period.collection.awaits is Awaits.BUYER) is (row == AWAIT_BUYER)


def test_what_the_operator_mended_goes_on_with_the_same_attempt_and_has_spent_none() -> None:
    period = Collecting()
    period.begin_attempt()
    for _ in range(100):
        step = period.answer(refused("InvalidAccountStatus"))
        assert (step.action, step.at - period.now) == (Action.REPEAT_CHARGE, HOUR)
        period.now = step.at

    period.answer(declined("SoftDeclined"))

    assert (period.collection.attempts, period.attempts_spent) == (1, 1)
    assert period.first_failed_at == period.now
    assert period.must_read(chargeable()).at == period.now + 12 * HOUR


@pytest.mark.parametrize("prompted", [True, False])
@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("opened", [refused("UnauthorizedAccess"), refused("Unknown"), PENDING])
@pytest.mark.parametrize(
    "answer", [chargeable(), chargeable("2027-01-01 00:00"), non_chargeable("PaymentMethodInvalid"), unreadable()]
)
def test_nothing_read_begins_an_attempt_beside_an_open_one(
    answer: PermissionAnswer, opened: ChargeAnswer, *, planned: bool, prompted: bool
) -> None:
    period = Collecting()
    period.begin_attempt()
    period.answer(opened)

    assert period.read(answer, planned=planned, prompted=prompted) is None
    assert period.attempt_is_open


AUTHORIZED = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-1-1-C000003")


def test_after_a_timeout_the_next_attempt_lets_amazon_take_its_time_and_is_captured_when_it_is_authorized() -> None:
    collecting = Collecting()
    collecting.fail("TransactionTimedOut")
    collecting.must_read(chargeable())
    collecting.begin_attempt()
    assert collecting.handles_pending

    waiting = collecting.answer(PENDING)
    capture = collecting.answer(AUTHORIZED)

    assert (waiting.action, waiting.at - DUE) == (Action.READ_CHARGE, HOUR)
    assert (capture.action, capture.at) == (Action.CAPTURE, DUE)
    assert collecting.collection.pending_charge_id == AUTHORIZED.charge_id
    assert collecting.attempt_is_open, "it is not paid before it is captured"


@pytest.mark.parametrize("code", ["SoftDeclined", "ProcessingFailure"])
def test_after_any_other_decline_the_charge_is_captured_at_once(code: str) -> None:
    collecting = Collecting()
    collecting.fail(code)
    collecting.must_read(chargeable())
    collecting.begin_attempt()

    assert not collecting.handles_pending
    assert collecting.answer(AUTHORIZED).action is Action.READ_CHARGE, "Amazon captures it by itself"


def test_a_policy_may_refuse_to_wait_after_a_timeout() -> None:
    collecting = Collecting(CollectionPolicy(pending_after_timeout=False))
    collecting.fail("TransactionTimedOut")
    collecting.must_read(chargeable())
    collecting.begin_attempt()

    assert not collecting.handles_pending
