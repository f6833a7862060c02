"""Amounts as they stand in Amazon's files."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from perennial_billing.billing.money import MINOR_UNIT_DECIMALS

_AMOUNT: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,6})?")


@lru_cache(maxsize=4_096)  # subscribers of a plan pay the same
def minor_units(text: str, currency: str) -> int | None:
    """An amount in its currency's minor units; None where the text is no number, or finer than the currency."""
    units = Decimal(text).scaleb(MINOR_UNIT_DECIMALS[currency]) if _AMOUNT.fullmatch(text) else None
    return None if units is None or units % 1 else int(units)


def decimal(minor: int, currency: str) -> Decimal:
    """What `minor_units` was made of."""
    return Decimal(minor).scaleb(-MINOR_UNIT_DECIMALS[currency])
