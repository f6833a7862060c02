"""What the pages work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from amazon_pay_client import Region
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.starter.client import Subscriptions
from perennial_billing.starter.portal.merchant import Merchants
from perennial_billing.starter.portal.sealing import Seal


@dataclass(frozen=True, slots=True)
class Portal:
    """Of one application.

    Attributes:
        subscriptions: the merchant's way in.
        ledger: remembers what was done by a link, and what Temporal has forgotten.
        seal: opens links.
        merchants: whose page it is.
        region_of: an account's region.
        requests_per_minute: of one address.
        amazon_origin: scheme and host of a simulator; Amazon's own pages else.
        base: the path under which a proxy serves the page, without a slash at the end; empty at the top.
    """

    subscriptions: Subscriptions
    ledger: Ledger
    seal: Seal
    merchants: Merchants
    region_of: Callable[[str], Awaitable[Region]]
    requests_per_minute: int = 60
    amazon_origin: str | None = None
    base: str = ""

    @property
    def amazon_origins(self) -> list[str]:
        """Where the pages are on which buyers change their payment method."""
        pages = [urlsplit(region.payment_method_update_url("C", self.amazon_origin)) for region in Region]
        return sorted({f"{page.scheme}://{page.netloc}" for page in pages})
