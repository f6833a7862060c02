"""Links to the buyer's page, as a merchant sends them."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from perennial_billing.ledger.finding import Search, find
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.runtime.settings import Environment, Settings
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.errors import SubscriptionNotFoundError
from perennial_billing.starter.portal.purposes import Purpose
from perennial_billing.starter.portal.sealing import Link, Seal, link_to

PATH: Final = "/l/"
"""What a link's token stands behind."""


def seal_of(settings: Settings) -> Seal:
    """What a process seals and opens links with.

    Raises:
        StartupError: no secret is set.
    """
    settings.required("portal_secrets")
    return Seal(settings.portal_keys)


def address_of(settings: Settings) -> str:
    """Where buyers reach the page, without a slash at the end.

    Raises:
        StartupError: it is not set, in live.
    """
    if settings.portal_url is None and settings.environment is Environment.LIVE:
        settings.required("portal_url")
    return (settings.portal_url or f"http://{settings.portal_host}:{settings.portal_port}").rstrip("/")


def link_address(
    settings: Settings, charge_permission_id: str, purpose: Purpose, valid: timedelta, language: str | None = None
) -> tuple[str, Link]:
    """The address of a new link, and what it holds.

    Raises:
        Refused: it would be valid for too short or too long.
        StartupError: a setting is missing.
    """
    link = link_to(charge_permission_id, purpose, valid)
    asked = f"?{urlencode({'lang': language})}" if language else ""
    return f"{address_of(settings)}{PATH}{seal_of(settings).close(link)}{asked}", link


async def check_known(subscriptions: Subscriptions, ledger: Ledger, charge_permission_id: str) -> None:
    """Whether there is, or was, a subscription that a link can be about.

    Raises:
        SubscriptionNotFoundError: neither Temporal nor the ledger knows one.
        SubscriptionError: Temporal does not answer.
        LedgerError: the ledger cannot be used now.
    """
    if await subscriptions.account_of(charge_permission_id) is not None:
        return
    if not await find(ledger, Search(charge_permission_id=charge_permission_id), limit=1):
        subject = f"charge permission {charge_permission_id}"
        raise SubscriptionNotFoundError(
            f"{subject}: there is no subscription, so no link either; `perennial list` shows those there are"
        )
