"""What a plan's texts come to, as the buyer will read them."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType

from perennial_billing.billing.contract.contract import Contract
from perennial_billing.billing.contract.schedule import first_that_costs
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.contract.texts import texts_of
from perennial_billing.billing.forecast.preview import Upcoming
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.starter.cli.tables import Column, Sheet

SOME_REFERENCE: Final = "your-reference"
"""Where a plan is looked at without a subscriber."""

_WHERE: Final = {
    "soft_descriptor": "statement",
    "note_to_buyer": "note to the buyer",
    "merchant_store_name": "store name",
    "custom_information": "for you alone",
}
_BEFORE_A_DESCRIPTOR: Final = "AMZ* "
"""What Amazon puts before it (Amazon Pay API v2, "charge")."""


def texts_for(terms: Terms, period: int) -> ChargeTexts | None:
    """What the buyer reads of a period's charge; None where the plan says nothing of it."""
    return texts_of(Contract(terms=terms), period)


def texts_in_words(terms: Terms) -> Iterator[RenderableType]:
    """What the buyer reads of the first charge, as a table; nothing where the plan has no texts."""
    period = first_that_costs(terms.schedule)
    texts = texts_for(terms, period)
    if texts is not None:
        yield _sheet(period, texts)


def texts_of_the_first(charges: Sequence[Upcoming]) -> Iterator[RenderableType]:
    """The same of the first of some charges to come of which the buyer reads something."""
    for charge in charges:
        if charge.texts is not None:
            yield _sheet(charge.period, charge.texts)
            return


def _sheet(period: int, texts: ChargeTexts) -> Sheet:
    said = texts.model_dump(exclude_none=True)
    if texts.soft_descriptor is not None:
        said["soft_descriptor"] = f"{_BEFORE_A_DESCRIPTOR}{texts.soft_descriptor}"
    columns = (Column("Where"), Column("Text", is_prose=True))
    rows = [(where, said[field]) for field, where in _WHERE.items() if field in said]
    return Sheet(columns, rows, title=f"Texts of the first charge, period {period}")
