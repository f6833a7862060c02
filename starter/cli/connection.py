"""How commands reach the subscriptions that the environment names."""

from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.runtime.errors import StartupError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.starter.client import Subscriptions

PermissionArgument = Annotated[
    str, typer.Argument(metavar="CHARGE_PERMISSION_ID", help="Amazon's id of the recurring charge permission.")
]


async def subscriptions(*, needs_consent: bool = False) -> "Subscriptions":
    """The merchant's way in.

    Args:
        needs_consent: whether a buyer has to agree to another plan; see `needs_consent`.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.client import Subscriptions

    settings = load_settings()

    def ledger() -> "AbstractAsyncContextManager[Ledger]":
        from perennial_billing.worker.books import ledger_of

        return ledger_of(settings)

    return Subscriptions(await connect(), settings.task_queue, needs_consent=needs_consent, ledger=ledger)


def needs_consent() -> bool:
    """Whether buyers have to agree to another plan in a new checkout, as in the EU and the UK.

    Raises:
        StartupError: the region is none.
    """
    from amazon_pay_client import Region
    from perennial_billing.runtime.settings import PREFIX, load_settings

    try:
        return Region.parse(load_settings().region) is Region.EU
    except ValueError as error:
        raise StartupError(f"{PREFIX}REGION: {error}") from None
