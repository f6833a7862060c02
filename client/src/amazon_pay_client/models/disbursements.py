"""Disbursements: what Amazon paid out to the merchant's bank account. Source: Amazon Pay, "requesting disbursement
details".
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from amazon_pay_client.models.leniency import DECISIVE
from amazon_pay_client.models.query import QueryModel
from amazon_pay_client.models.wire import Amount, Currency, Price, Timestamp, WireModel


class DisbursementsQuery(QueryModel):
    """The filters of Get Disbursements: the settlement dates, both ends in them.

    Attributes:
        page_size: at least 1; no upper limit is documented.
        next_token: from the page before; unlike that of reports it stands beside the dates.
    """

    start_time: Timestamp
    end_time: Timestamp
    page_size: Annotated[int, Field(ge=1)] | None = None
    next_token: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_time < self.start_time:
            raise ValueError(f"endTime: {self.end_time} is before startTime, {self.start_time}")
        return self


class Disbursement(WireModel):
    """One payment to the bank account. On the wire amount and currency stand beside the other fields.

    Attributes:
        amount: as it came; `price` has it in the currency's minor unit.
        amazon_disbursement_reference_id: stands on the bank statement.
        settlement_id: the settlement's, as in the settlement report.
    """

    amount: Amount | None = None
    currency_code: Annotated[Currency | str, Field(union_mode="left_to_right")] | None = None
    seller_id: str | None = None
    settlement_id: str | None = None
    amazon_disbursement_reference_id: str | None = None
    transaction_time: Timestamp | None = None

    @property
    def price(self) -> Price | None:
        """What was paid out; None where amount or currency could not be read.

        Raises:
            ValidationError: the amount is finer than its currency.
        """
        if self.amount is None or self.currency_code is None:
            return None
        return Price(amount=self.amount, currency_code=self.currency_code)


class DisbursementsPage(WireModel):
    """One page of disbursements; `next_token` asks for the next one."""

    disbursements: tuple[Disbursement, ...]
    next_token: Annotated[str | None, DECISIVE] = None
