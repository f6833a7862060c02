"""The activities that call Amazon Pay, and the translation of its answers into the words of the rules."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from amazon_pay_client.errors import (
    AmazonPayError,
    ApiError,
    DeclinedError,
    IncompleteAnswerError,
    InvalidStateError,
)
from amazon_pay_client.models import (
    CloseChargePermissionRequest,
    CreateChargeRequest,
    CreateRefundRequest,
    MerchantMetadata,
    Price,
    Refund,
)
from amazon_pay_client.models.charge_permissions import UpdateChargePermissionRequest
from amazon_pay_client.models.charges import CaptureChargeRequest
from amazon_pay_client.models.refunds import RefundState as AmazonRefundState
from perennial_billing.activities.accounts import AccountClient, AccountClients, account_of_this_call
from perennial_billing.activities.agreement import Agreement
from perennial_billing.activities.answers import (
    charge_answer,
    charge_as_read,
    charge_error,
    money_of,
    permission_answer,
    permission_error,
    tell_unread,
)
from perennial_billing.activities.recurring import recurring_metadata
from perennial_billing.activities.signatures import (
    OUTCOME_UNKNOWN,
    AmazonPayActivities,
    CaptureCharge,
    ClosePermission,
    CreateCharge,
    CreateRefund,
    ReadCharge,
    ReadDispute,
    ReadPermission,
    ReadRefund,
    UpdatePermission,
)
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    PermissionAnswer,
    RefundAnswer,
    RefundState,
)
from perennial_billing.billing.protocol.foreign import as_prose

HEARTBEAT_EVERY_SECONDS: Final = 4.0
"""Only calls that last longer send heartbeats, so an ordinary charge costs none."""

LONGEST_CLOSURE_REASON: Final = 255
"""Characters (Amazon Pay API v2, "close charge permission")."""

UNKNOWN_REFUSAL: Final = "UnknownRefusal"
"""Our own word, where Amazon gave no reasonCode."""

LONGEST_WAIT: Final = timedelta(hours=1)
"""However long Amazon asks to wait: a longer pause would be a period forgotten."""

ExtraHeaders = Callable[[], Mapping[str, str]]
"""Makes the extra headers of one call, such as the virtual time for a simulator."""

_STATE_OF_REFUND: Final[Mapping[str, RefundState]] = {
    AmazonRefundState.REFUND_INITIATED: RefundState.PENDING,
    AmazonRefundState.REFUNDED: RefundState.REFUNDED,
    AmazonRefundState.DECLINED: RefundState.FAILED,
}


class AmazonPayCalls(AmazonPayActivities):
    """The activities over real clients.

    Args:
        accounts: know the client of each merchant account.
        agreement: looks, before anything is changed at Amazon's, whether the ledger knows more of the subscription.
        extra_headers: made for each call; none against Amazon itself.
    """

    def __init__(self, accounts: AccountClients, agreement: Agreement, extra_headers: ExtraHeaders = dict) -> None:
        self._accounts = accounts
        self._agreement = agreement
        self._extra_headers = extra_headers

    async def _account(self) -> AccountClient:
        return await account_of_this_call(self._accounts)

    @activity.defn
    async def create_charge(self, request: CreateCharge) -> ChargeAnswer:
        """See `AmazonPayActivities.create_charge`."""
        await self._agreement.check(request)
        account, texts = await self._account(), request.texts or ChargeTexts()
        body = CreateChargeRequest(
            charge_permission_id=request.charge_permission_id,
            charge_amount=Price(amount=request.amount.amount, currency_code=request.amount.currency),
            capture_now=request.capture_now,
            can_handle_pending_authorization=request.can_handle_pending_authorization,
            soft_descriptor=_soft_descriptor(texts.soft_descriptor, account, is_captured=request.capture_now),
            merchant_metadata=MerchantMetadata(
                merchant_reference_id=request.merchant_reference or None,
                merchant_store_name=texts.merchant_store_name,
                note_to_buyer=texts.note_to_buyer,
                custom_information=texts.custom_information,
            ),
        )
        async with _heartbeats():
            try:
                charge = await account.client.charges.create(
                    body, idempotency_key=request.idempotency_key, headers=self._extra_headers()
                )
            except DeclinedError as error:
                return charge_error(ChargeOutcome.DECLINED, error)
            except AmazonPayError as error:
                return charge_error(ChargeOutcome.REFUSED, _known(error))
        return charge_answer(charge)

    @activity.defn
    async def capture_charge(self, request: CaptureCharge) -> ChargeAnswer:
        """See `AmazonPayActivities.capture_charge`."""
        await self._agreement.check(request)
        account = await self._account()
        body = CaptureChargeRequest(
            capture_amount=Price(amount=request.amount.amount, currency_code=request.amount.currency),
            soft_descriptor=_soft_descriptor(request.soft_descriptor, account),
        )
        async with _heartbeats():
            try:
                charge = await account.client.charges.capture(
                    request.charge_id, body, idempotency_key=request.idempotency_key, headers=self._extra_headers()
                )
            except DeclinedError as error:
                return charge_error(ChargeOutcome.DECLINED, error)
            except AmazonPayError as error:
                return charge_error(ChargeOutcome.REFUSED, _known(error))
        return charge_answer(charge, money_of(charge.capture_amount))

    @activity.defn
    async def read_charge(self, request: ReadCharge) -> ChargeAnswer:
        """See `AmazonPayActivities.read_charge`."""
        account = await self._account()
        async with _heartbeats():
            try:
                charge = await account.client.charges.get(request.charge_id, headers=self._extra_headers())
            except AmazonPayError as error:
                return charge_error(ChargeOutcome.REFUSED, _known(error))
        return charge_as_read(charge)

    @activity.defn
    async def create_refund(self, request: CreateRefund) -> RefundAnswer:
        """See `AmazonPayActivities.create_refund`."""
        await self._agreement.check(request)
        account = await self._account()
        body = CreateRefundRequest(
            charge_id=request.charge_id,
            refund_amount=Price(amount=request.amount.amount, currency_code=request.amount.currency),
            soft_descriptor=_soft_descriptor(request.soft_descriptor, account),
        )
        async with _heartbeats():
            try:
                refund = await account.client.refunds.create(
                    body, idempotency_key=request.idempotency_key, headers=self._extra_headers()
                )
            except DeclinedError as error:
                return RefundAnswer(state=RefundState.FAILED, reason_code=error.reason_code)
            except AmazonPayError as error:
                return RefundAnswer(state=RefundState.FAILED, reason_code=_known(error).reason_code)
        return _refund_answer(refund)

    @activity.defn
    async def read_refund(self, request: ReadRefund) -> RefundAnswer:
        """See `AmazonPayActivities.read_refund`."""
        account = await self._account()
        async with _heartbeats():
            try:
                refund = await account.client.refunds.get(request.refund_id, headers=self._extra_headers())
            except AmazonPayError as error:
                refused = _known(error).reason_code
                return RefundAnswer(state=RefundState.PENDING, refund_id=request.refund_id, reason_code=refused)
        amount = money_of(refund.refund_amount)
        return _refund_answer(refund).but(charge_id=refund.charge_id, amount=amount)

    @activity.defn
    async def read_dispute(self, request: ReadDispute) -> DisputeAnswer:
        """See `AmazonPayActivities.read_dispute`."""
        account = await self._account()
        async with _heartbeats():
            try:
                dispute = await account.client.disputes.get(request.dispute_id, headers=self._extra_headers())
            except AmazonPayError as error:
                return DisputeAnswer(refused=_known(error).reason_code or UNKNOWN_REFUSAL)
        tell_unread(dispute)
        details = dispute.status_details
        return DisputeAnswer(
            charge_id=dispute.charge_id,
            amount=money_of(dispute.dispute_amount),
            state=details.state,
            reason_code=details.reason_code,
            resolution=details.resolution,
            deadline=dispute.merchant_response_deadline,
        )

    @activity.defn
    async def read_permission(self, request: ReadPermission) -> PermissionAnswer:
        """See `AmazonPayActivities.read_permission`."""
        account = await self._account()
        async with _heartbeats():
            return await self._read_permission(account, request.charge_permission_id)

    @activity.defn
    async def update_permission(self, request: UpdatePermission) -> PermissionAnswer:
        """See `AmazonPayActivities.update_permission`."""
        await self._agreement.check(request)
        account = await self._account()
        body = UpdateChargePermissionRequest(recurring_metadata=recurring_metadata(request.recurrence))
        async with _heartbeats():
            try:
                permission = await account.client.charge_permissions.update(
                    request.charge_permission_id, body, headers=self._extra_headers()
                )
            except AmazonPayError as error:
                return permission_error(_known(error))
        return permission_answer(permission)

    @activity.defn
    async def close_permission(self, request: ClosePermission) -> PermissionAnswer:
        """See `AmazonPayActivities.close_permission`."""
        await self._agreement.check(request)
        account = await self._account()
        body = CloseChargePermissionRequest(
            closure_reason=request.reason[:LONGEST_CLOSURE_REASON] or "Subscription ended",
            cancel_pending_charges=request.cancel_pending_charges,
        )
        async with _heartbeats():
            try:
                permission = await account.client.charge_permissions.close(
                    request.charge_permission_id, body, headers=self._extra_headers()
                )
            except InvalidStateError:
                return await self._read_permission(account, request.charge_permission_id)
            except AmazonPayError as error:
                return permission_error(_known(error))
        return permission_answer(permission)

    async def _read_permission(self, account: AccountClient, charge_permission_id: str) -> PermissionAnswer:
        try:
            permission = await account.client.charge_permissions.get(
                charge_permission_id, headers=self._extra_headers()
            )
        except AmazonPayError as error:
            return permission_error(_known(error))
        return permission_answer(permission)


def _soft_descriptor(of_the_plan: str | None, account: AccountClient, *, is_captured: bool = True) -> str | None:
    """What buyers read on their statements: as the plan has it, or else the account. Amazon takes it with a capture
    alone."""
    return of_the_plan or (account.soft_descriptor if is_captured else None)


def _known(error: AmazonPayError) -> ApiError:
    """The error as an answer of Amazon's; raises where the outcome is unknown, so that the call is repeated.

    Raises:
        ApplicationError: of type `OutcomeUnknown`; retryable, after what Amazon asked to wait (an hour at most).
    """
    if isinstance(error, ApiError) and not error.is_retryable:
        if error.clock:
            activity.logger.error("Amazon does not believe the signature: %s", error.clock)
        return error
    if isinstance(error, IncompleteAnswerError):
        activity.logger.error("Amazon's answer does not say what came of the call: %s", error)
    raise ApplicationError(
        as_prose(str(error)), type=OUTCOME_UNKNOWN, next_retry_delay=_wait_after(error)
    ) from None  # its own text would be in the history beside ours, as it came


def _wait_after(error: AmazonPayError) -> timedelta | None:
    """How long to wait before the call is made again; None where that is left to the workflow.

    An answer that does not say what came of the call most likely comes again as it is. Its wait leaves no room for
    another attempt before the call counts as not answered: so it is seen at once, and asked for again by the hour.
    """
    if isinstance(error, IncompleteAnswerError):
        return LONGEST_WAIT
    wait = error.retry_after_seconds if isinstance(error, ApiError) else None
    return timedelta(seconds=min(wait, LONGEST_WAIT.total_seconds())) if wait is not None else None


def _refund_answer(refund: Refund) -> RefundAnswer:
    tell_unread(refund)
    details = refund.status_details
    # As with charges: an unknown state is Amazon's to explain.
    state = _STATE_OF_REFUND.get(details.state, RefundState.PENDING)
    return RefundAnswer(
        state=state,
        refund_id=refund.refund_id,
        reason_code=details.reason_code,
        created_at=refund.creation_timestamp,
    )


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    """Tells the server that this worker lives while a call lasts, so that a killed one is replaced in seconds."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_EVERY_SECONDS)
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
