"""What Amazon Pay answered, in the words of the rules: for the activities, and for whoever asks before one is begun."""

from typing import Final

from temporalio import activity

from amazon_pay_client.errors import ApiError
from amazon_pay_client.models import (
    Charge,
    ChargePermission,
    ChargePermissionState,
    ChargeState,
    Currency,
    Price,
    WireModel,
)
from perennial_billing.billing.money import Money
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from perennial_billing.billing.protocol.foreign import as_prose

_OUTCOME_OF_CHARGE: Final = {
    ChargeState.CAPTURED: ChargeOutcome.CAPTURED,
    ChargeState.AUTHORIZATION_INITIATED: ChargeOutcome.PENDING,
    ChargeState.CAPTURE_INITIATED: ChargeOutcome.PENDING,
    ChargeState.DECLINED: ChargeOutcome.DECLINED,
    ChargeState.CANCELED: ChargeOutcome.DECLINED,
    ChargeState.AUTHORIZED: ChargeOutcome.AUTHORIZED,
}
_STATE_OF_PERMISSION: Final = {
    ChargePermissionState.CHARGEABLE: PermissionState.CHARGEABLE,
    ChargePermissionState.NON_CHARGEABLE: PermissionState.NON_CHARGEABLE,
    ChargePermissionState.CLOSED: PermissionState.CLOSED,
}


def tell_unread(answer: WireModel) -> None:
    """Logs what came in a form that nobody knows: nothing hangs on it, and whoever keeps this wants to hear of it."""
    if answer.unread:
        names = as_prose(", ".join(answer.unread))
        activity.logger.warning("fields of Amazon's %s cannot be read: %s", type(answer).__name__, names)


def money_of(price: Price | None) -> Money | None:
    """The amount; None where there is none, or where it is in a currency that nobody knows."""
    if price is None or not isinstance(price.currency_code, Currency):
        return None
    return Money.rounded(price.amount, price.currency_code)


def charge_answer(
    charge: Charge,
    captured: Money | None = None,
    *,
    amount: Money | None = None,
    refunded: Money | None = None,
    charge_permission_id: str | None = None,
) -> ChargeAnswer:
    """What came of a call that makes or captures a charge."""
    tell_unread(charge)
    state = charge.status_details.state
    # An unknown state is Amazon's to explain: pending until it becomes one that is known.
    outcome = _OUTCOME_OF_CHARGE[state] if isinstance(state, ChargeState) else ChargeOutcome.PENDING
    return ChargeAnswer(
        outcome=outcome,
        charge_id=charge.charge_id,
        captured=captured,
        created_at=charge.creation_timestamp,
        amount=amount,
        refunded=refunded,
        charge_permission_id=charge_permission_id,
        reason_code=charge.status_details.reason_code,
        message=charge.status_details.reason_description,
    )


def charge_as_read(charge: Charge) -> ChargeAnswer:
    """A charge as it was read: also what it is of, what of it has gone back, and under which charge permission."""
    refunded = money_of(charge.refunded_amount)
    return charge_answer(
        charge,
        money_of(charge.capture_amount),
        amount=money_of(charge.charge_amount),
        refunded=None if refunded is None or refunded.is_zero else refunded,
        charge_permission_id=charge.charge_permission_id,
    )


def charge_error(outcome: ChargeOutcome, error: ApiError) -> ChargeAnswer:
    """What Amazon said instead of showing a charge, or of making one."""
    return ChargeAnswer(
        outcome=outcome,
        reason_code=error.reason_code,
        message=f"{error.message}; {error.clock}" if error.clock else error.message,
        request_id=error.request_id,
    )


def permission_answer(permission: ChargePermission) -> PermissionAnswer:
    """A charge permission as it was read."""
    tell_unread(permission)
    details = permission.status_details
    state = details.state
    known = _STATE_OF_PERMISSION[state] if isinstance(state, ChargePermissionState) else PermissionState.UNKNOWN
    limit = permission.limits.amount_limit if permission.limits else None
    return PermissionAnswer(
        state=known,
        reason_codes=tuple(reason.reason_code for reason in details.reasons or ()),
        last_updated=details.last_updated_timestamp,
        monthly_limit=money_of(limit),
        expires_at=permission.expiration_timestamp,
        monthly_balance=money_of(permission.limits.amount_balance) if permission.limits else None,
        given_for=permission.charge_permission_type,
        currency=limit.currency_code if limit else None,
    )


def permission_error(error: ApiError) -> PermissionAnswer:
    """What Amazon said instead of showing a charge permission."""
    return PermissionAnswer(state=PermissionState.UNKNOWN, refused=error.reason_code)
