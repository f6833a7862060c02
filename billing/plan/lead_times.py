"""How long before something happens the merchant is told, so that the buyer is told in time.

Off where nothing is given. Amazon's policy on recurring payments wants a notice ten days before a charge whose amount
varies; laws want three to forty-five days before a term is renewed, a trial ends or a price changes.
"""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from perennial_billing.billing.values import Value

_LONGEST: Final = timedelta(days=90)

Lead = Annotated[timedelta, Field(ge=timedelta(hours=1), le=_LONGEST)]
Leads = Annotated[tuple[Lead, ...], Field(max_length=5)]


class LeadTimes(Value):
    """By what is to happen, how long before its due date each notice is told; one that is late is told at once.

    Attributes:
        charge: before each charge.
        trial_end: before the first charge after free periods.
        renewal: before a term of a year or longer is charged again.
        price_change: before the first charge that costs otherwise than the one before, as another plan, quantity or
            phase holds.
        question: how long before the due date the merchant is asked for an amount that the plan asks for, so that it is
            known, and told, before it is charged; when it falls due where not given.
    """

    charge: Leads = ()
    trial_end: Leads = ()
    renewal: Leads = ()
    price_change: Leads = ()
    question: Lead | None = None
