"""Charges to come: as a table for people, and as data."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from perennial_billing.billing.forecast.preview import Upcoming
from perennial_billing.billing.zones import zone as rules_of
from perennial_billing.starter.cli.tables import Column, Sheet


def calendar_of(found: Sequence[Upcoming], zone: str) -> Sheet:
    """A table of charges to come, in a zone's wall time, with the sum so far."""
    tz, sums = rules_of(zone), accumulate(each.amount.amount for each in found)
    columns = (
        Column("Period", justify="right"),
        Column(f"Charged ({zone})"),
        Column("Amount", justify="right"),
        Column("Sum", rank=1, justify="right"),
        Column("Why", is_prose=True),
    )
    rows = [
        (str(each.period), f"{each.at.astimezone(tz):%a %Y-%m-%d %H:%M}", str(each.amount), str(total), each.why)
        for each, total in zip(found, sums, strict=True)
    ]
    return Sheet(columns, rows)


def as_data(charge: Upcoming) -> dict[str, Any]:  # Any: as JSON writes it
    """A charge to come as JSON writes it, with those texts that the buyer reads."""
    texts = {"texts": charge.texts.model_dump(exclude_none=True)} if charge.texts else {}
    return charge.model_dump(mode="json", exclude={"texts"}) | texts
