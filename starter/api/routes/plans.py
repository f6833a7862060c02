"""Plans, before anything is billed by them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from perennial_billing.billing.expiry import expiry_warning
from perennial_billing.billing.forecast.explain import CASES, explain, standing_rules
from perennial_billing.billing.forecast.preview import MOST_CHARGES, Upcoming, upcoming
from perennial_billing.billing.plan.monthly_limit import limit_warning
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.subscription import Subscription
from perennial_billing.starter.api.access import Reader
from perennial_billing.starter.api.forms import NOBODY, Agreed
from perennial_billing.starter.api.routes.common import problems

router = APIRouter(prefix="/v1/plans", tags=["Plans"])


class Happens(BaseModel):
    """Something that a plan would do."""

    at: AwareDatetime
    what: str


class Explained(BaseModel):
    """A plan in words and dates."""

    plan: str
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    failures: dict[str, tuple[Happens, ...]]
    recurring_metadata: dict[str, object]


@router.post("/explain", operation_id="explainPlan", responses=problems())
async def explain_plan(_key: Reader, agreed: Agreed) -> Explained:
    """Check a plan, and say in words and dates what it would do: what follows each kind of failure.

    `recurring_metadata` is what the checkout session has to say of it.
    """
    from perennial_billing.activities.recurring import recurring_metadata

    terms = agreed.terms(NOBODY)
    metadata = recurring_metadata(Recurrence.of(terms.plan, terms.quantity))
    warnings = (limit_warning(terms.plan, terms.quantity), expiry_warning(terms))
    return Explained(
        plan=str(terms.plan),
        rules=tuple(standing_rules(terms.plan)),
        warnings=tuple(each for each in warnings if each),
        failures={code: tuple(Happens(at=at, what=what) for at, what in explain(terms, code)) for code in CASES},
        recurring_metadata=metadata.model_dump(mode="json", by_alias=True),
    )


@router.post("/preview", operation_id="previewPlan", responses=problems())
async def preview_plan(
    _key: Reader, agreed: Agreed, count: Annotated[int, Query(ge=1, le=MOST_CHARGES)] = 12
) -> list[Upcoming]:
    """The calendar of a plan: when it would charge, how much and why, if it was started now and all succeeded."""
    return upcoming(Subscription.begin(agreed.terms(NOBODY)), count, datetime.now(UTC))
