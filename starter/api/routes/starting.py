"""Starting a subscription: from a charge permission, or from the checkout session that makes one."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.errors import AmazonPayError, ApiError, InvalidStateError
from amazon_pay_client.models import CompleteCheckoutSessionRequest, Price
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.requests import Asker
from perennial_billing.starter.api.access import Actor, check_account
from perennial_billing.starter.api.forms import Began, Begin
from perennial_billing.starter.api.links import AS_STARTED, LOOKING, leading, to_subscription
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.repeating import IdempotencyKey, once
from perennial_billing.starter.api.routes.asking import OPERATIONS
from perennial_billing.starter.api.routes.common import problems
from perennial_billing.starter.api.services import Services, ServicesDep, account_of

router = APIRouter(prefix="/v1/subscriptions", tags=["Starting"])


_THEN = (
    *LOOKING,
    "getPaymentMethod",
    "advanceSubscription",
    *OPERATIONS,
    "recoverSubscription",
    "tryRecoverSubscription",
)


@router.post(
    "",
    operation_id="startSubscription",
    status_code=201,
    response_model=Began,
    responses=problems(409, 502) | leading(*to_subscription(*_THEN, by=AS_STARTED), status=201),
)
async def start_subscription(
    request: Request, key: Actor, services: ServicesDep, wanted: Begin, idempotency_key: IdempotencyKey
) -> Response:
    """Start billing a buyer.

    Of a checkout session that the buyer comes back from, it is completed first; where it was completed before, its
    charge permission is found. Started again with the same terms, the running subscription is found.
    """

    check_account(key, wanted.merchant_account)

    async def start(_request_id: str) -> Began:
        permission, first_charge = await _permission(wanted, services)
        terms = wanted.terms(permission)
        subscriptions = services.subscriptions.on_behalf_of(Asker(actor=key.name))
        started = await subscriptions.start(
            terms,
            anchor_was_given=wanted.anchor is not None,
            backdated=wanted.backdated,
            first_charge=first_charge,
            unchecked=wanted.unchecked,
        )
        return Began(
            charge_permission_id=permission,
            workflow_id=started.workflow_id,
            same_reference=tuple(await subscriptions.sharing_reference(terms)),
        )

    return await once(request, key, idempotency_key, start, status=201)


async def _permission(wanted: Begin, services: Services) -> tuple[str, str | None]:
    """The charge permission that is given, or that the checkout session has made; and the charge made with it.

    Raises:
        Refused: neither is given, or both.
        ProblemError: Amazon refuses to complete the session, or does not answer.
    """
    if (wanted.charge_permission_id is None) == (wanted.checkout_session_id is None):
        raise Refused("charge_permission_id", "", "one is: a charge permission, or a checkout session")
    if wanted.charge_permission_id is not None:
        return wanted.charge_permission_id, wanted.first_charge
    account = await account_of(services, wanted.merchant_account, "complete a checkout session")
    if wanted.checkout_amount is None:
        raise Refused("checkout_amount", "", "what the checkout session was made for must be given")
    try:
        return await _completed(account.client, wanted.checkout_session_id or "", wanted)
    except AmazonPayError as error:
        code = f" ({error.reason_code})" if isinstance(error, ApiError) and error.reason_code else ""
        detail = f"checkout session {wanted.checkout_session_id}: {error}{code}; the same may be sent again"
        raise ProblemError(502, "amazon-refused", "Amazon did not complete the checkout session", detail) from None


async def _completed(amazon_pay: AmazonPayClient, session_id: str, wanted: Begin) -> tuple[str, str | None]:
    amount = wanted.checkout_amount
    if amount is None:
        raise AssertionError("it was looked at before")
    price = Price(amount=amount.amount, currency_code=amount.currency)
    try:
        completed = await amazon_pay.checkout_sessions.complete(
            session_id, CompleteCheckoutSessionRequest(charge_amount=price)
        )
    except InvalidStateError:
        session = await amazon_pay.checkout_sessions.get(session_id)  # it may have been, and the answer was lost
    else:
        session = completed.session
    if session.charge_permission_id is None:
        state = session.status_details.state
        detail = f"checkout session {session_id} is {state} and has made no charge permission: a new checkout is needed"
        raise ProblemError(409, "not-now", "The checkout session has made no charge permission", detail)
    return session.charge_permission_id, wanted.first_charge or session.charge_id
