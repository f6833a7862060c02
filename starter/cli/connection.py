"""How commands reach the subscriptions that the environment names."""

from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.runtime.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.client import Subscriptions
    from perennial_billing.starter.client.subscriptions import NeedsConsent
    from perennial_billing.starter.reading import ReadsAmazon

PermissionArgument = Annotated[
    str, typer.Argument(metavar="CHARGE_PERMISSION_ID", help="Amazon's id of the recurring charge permission.")
]


async def subscriptions(
    *, needs_consent: "bool | NeedsConsent" = False, ledger: "Ledger | None" = None
) -> "Subscriptions":
    """The merchant's way in.

    Args:
        needs_consent: whether a buyer has to agree to another plan; see `needs_consent`.
        ledger: one that is open already, where many are started; it is opened for each else.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.client import Subscriptions

    settings = load_settings()

    def opened() -> "AbstractAsyncContextManager[Ledger]":
        from perennial_billing.worker.books import ledger_of

        return ledger_of(settings) if ledger is None else nullcontext(ledger)

    return Subscriptions(
        await connect(settings),
        settings.task_queue,
        needs_consent=needs_consent,
        ledger=opened,
        amazon=lambda account: amazon_of(settings, account, ledger),
    )


@asynccontextmanager
async def amazon_of(settings: "Settings", account: str, ledger: "Ledger | None" = None) -> "AsyncIterator[ReadsAmazon]":
    """A way to Amazon Pay for a merchant account.

    Raises:
        StartupError: a setting is missing or wrong, or the account is not known; says that nothing else is needed where
            a start is unchecked.
    """
    from perennial_billing.starter.amazon_pay import AmazonPayReader
    from perennial_billing.worker.wiring import client_of

    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(client_of(settings, account, ledger))
        except StartupError as error:
            why = "a start reads the charge permission at Amazon first, unless it is said to be --unchecked"
            raise StartupError(f"{error}; {why}") from None
        yield AmazonPayReader(client)


def needs_consent() -> "NeedsConsent":
    """Tells whether buyers of an account have to agree to another plan in a new checkout, as in the EU and the UK.

    Raises:
        StartupError: the region is none.
    """
    from amazon_pay_client import Region
    from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
    from perennial_billing.runtime.settings import PREFIX, load_settings

    settings = load_settings()
    try:
        own = Region.parse(settings.region)
    except ValueError as error:
        raise StartupError(f"{PREFIX}REGION: {error}") from None

    async def of(account: str) -> bool:
        if account == DEFAULT_ACCOUNT:
            return own is Region.EU
        from perennial_billing.worker.accounts import Accounts
        from perennial_billing.worker.books import ledger_of

        async with ledger_of(settings) as ledger:
            return await Accounts(settings, ledger).region_of(account) is Region.EU

    return of
