"""Every picture, by the name of its file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.pictures import declines, idempotency, ledger, money, notices, subscription, time

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"

PICTURES: Final[Mapping[str, Callable[[], str]]] = {
    "declines": declines.picture,
    "idempotency": idempotency.picture,
    "ledger": ledger.picture,
    "money": money.picture,
    "notices": notices.picture,
    "subscription": subscription.picture,
    "time": time.picture,
}
