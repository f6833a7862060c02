"""The command `plan checkout`: what a shop's checkout has to say of a plan, and its button, signed."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import ValidationError

from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT, Terms
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.refusals import Refused
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.agreement import AccountOption, AnchorOption, QuantityOption, ZoneOption, agreed
from perennial_billing.starter.cli.output import asynchronous, in_one_line, say
from perennial_billing.starter.cli.plan_file import FileArgument, read_plan

if TYPE_CHECKING:
    from perennial_billing.starter.checkout import Checkout, SignedButton

NOBODY: Final = "C01-0000000-0000000"
"""A plan is offered before there is a charge permission."""

_OPTIONS: Final = {
    "store_id": "--store-id",
    "result_return_url": "--result-url",
    "review_return_url": "--review-url",
    "cancel_return_url": "--cancel-url",
    "first_charge": "--first-charge",
    "product_type": "--product-type",
    "ledger_currency": "--ledger-currency",
    "plan": "FILE",
}


@asynchronous
async def checkout(
    file: FileArgument,
    quantity: QuantityOption = 1,
    zone: ZoneOption = "UTC",
    anchor: AnchorOption = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Print the button's settings with the signed payload; needs your keys.")
    ] = False,
    store_id: Annotated[str | None, typer.Option(help="The store's client id, amzn1.application-oa2-client...")] = None,
    result_url: Annotated[str | None, typer.Option(help="Your page that the buyer comes back to from paying.")] = None,
    review_url: Annotated[
        str | None, typer.Option(help="Your page on which the buyer reviews the order; paid at once when not given.")
    ] = None,
    cancel_url: Annotated[str | None, typer.Option(help="Your page for a buyer who gives up.")] = None,
    merchant_account: AccountOption = DEFAULT_ACCOUNT,
    reference: Annotated[str, typer.Option(help="Your own reference; never personal data.")] = "",
    first_charge: Annotated[str, typer.Option(help="Who makes the first charge: subscription or checkout.")] = (
        "subscription"
    ),
    product_type: Annotated[str, typer.Option(help="PayOnly, or PayAndShip where an address is needed.")] = "PayOnly",
    ledger_currency: Annotated[str | None, typer.Option(help="Of your account; by plan and region if not given.")] = (
        None
    ),
) -> None:
    """Print what the checkout session has to say of a plan, as JSON: chargePermissionType and recurringMetadata.

    With --sign, the whole button: what amazon.Pay.renderButton takes, its payload signed with your key.
    """
    terms = agreed(
        charge_permission_id=NOBODY,
        plan=read_plan(file),
        quantity=quantity,
        zone=zone,
        anchor=anchor,
        merchant_reference=reference,
        merchant_account=merchant_account,
    )
    if not sign:
        from perennial_billing.activities.recurring import recurring_metadata

        said = recurring_metadata(Recurrence.of(terms.plan, terms.quantity)).model_dump(mode="json", by_alias=True)
        say({"chargePermissionType": "Recurring", "recurringMetadata": said}, as_json=True)
        return
    given = {
        "store_id": store_id,
        "result_return_url": result_url,
        "review_return_url": review_url,
        "cancel_return_url": cancel_url,
        "first_charge": first_charge,
        "product_type": product_type,
        "ledger_currency": ledger_currency,
    }
    signed = await _signed(terms, _checkout_of(given))
    say(signed.model_dump(mode="json", by_alias=True), as_json=True)


def _checkout_of(given: dict[str, str | None]) -> "Checkout":
    """What the options say of the checkout.

    Raises:
        StartupError: an option is missing or its value is not accepted.
    """
    from perennial_billing.starter.checkout import Checkout

    for field in ("store_id", "result_return_url"):
        if given[field] is None:
            raise StartupError(f"{_OPTIONS[field]}: must be given with --sign")
    try:
        return Checkout.model_validate({field: value for field, value in given.items() if value is not None})
    except ValidationError as error:
        raise StartupError(in_one_line(error, _OPTIONS)) from None


async def _signed(terms: Terms, details: "Checkout") -> "SignedButton":
    """The button, signed with the key of the settings; nothing is sent.

    Raises:
        StartupError: a setting is missing, or an option does not go with another.
    """
    from perennial_billing.runtime.settings import Environment, load_settings
    from perennial_billing.starter.checkout import button_of, offer_of
    from perennial_billing.worker.wiring import account_client_of

    settings = load_settings()
    is_live = settings.environment is Environment.LIVE
    async with AsyncExitStack() as stack:
        account = await stack.enter_async_context(account_client_of(settings, terms.merchant_account))
        client, region = account.client, account.region
        if account.merchant_id is None:
            settings.required("merchant_id")
        try:
            offer = offer_of(terms, details, region, datetime.now(UTC), is_live=is_live)
        except Refused as refused:
            raise StartupError(str(refused.under(_OPTIONS.get(refused.field, refused.field)))) from None
        script = region.checkout_script(settings.amazon_pay_origin)
        return button_of(
            offer, client.button_signature(offer.payload), account.merchant_id or "", script, is_live=is_live
        )
