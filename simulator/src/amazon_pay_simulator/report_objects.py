"""Reports as the simulator keeps them, and what is to be wrong in the settlements that are yet to be made."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from amazon_pay_client.models import Currency, Report, ReportSchedule


class BookedReport(BaseModel):
    """A report that was ordered, or that Amazon has made by itself."""

    report: Report
    release_environment: str


class BookedDocument(BaseModel):
    """The content of a report.

    Attributes:
        transaction_ids: of the transactions that a settlement of Amazon's own has paid out, also those that its file
            leaves out on demand; none where a report was ordered.
    """

    content: str
    transaction_ids: tuple[str, ...]
    release_environment: str


class BookedSchedule(BaseModel):
    """A schedule, with when its next report is made."""

    schedule: ReportSchedule
    release_environment: str


class MistakeKind(StrEnum):
    """What can be wrong about a transaction in a settlement."""

    MISSING = "missing"
    DOUBLED = "doubled"
    OTHER_AMOUNT = "other_amount"
    OTHER_CURRENCY = "other_currency"
    """The same number in another currency."""
    FOREIGN = "foreign"
    """Beside it stands another like it, of somebody else's order."""


class SettlementMistake(BaseModel):
    """What is wrong about one transaction in the settlements that are made from now on."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    transaction_id: Annotated[str, Field(min_length=1)]
    """The id of the charge, refund or dispute."""
    kind: MistakeKind
    amount: Annotated[Decimal, Field(ge=0, le=Decimal(10**15))] | None = None
    """What the file tells instead of the right amount, without a sign; only of another amount."""
    currency: Currency | None = None
    """What the file tells instead of the right currency; only of another currency."""

    @model_validator(mode="after")
    def _is_told_what_stands_instead(self) -> Self:
        for field, kind in (("amount", MistakeKind.OTHER_AMOUNT), ("currency", MistakeKind.OTHER_CURRENCY)):
            value = getattr(self, field)
            if (value is not None) != (self.kind is kind):
                raise ValueError(f"{field}: {value} with kind {self.kind}; it is given with {kind}, and only there")
        return self
