"""What the buyer reads of a period: the texts of the plan that it is charged by, filled in."""

from perennial_billing.billing.contract.contract import Contract
from perennial_billing.billing.plan.texts import ChargeTexts, PeriodInWords


def texts_of(contract: Contract, period: int) -> ChargeTexts | None:
    """The texts of a period's charge; None where nothing is to be said.

    What is charged by itself, between two of the plan's periods, says who charges, and not what the plan is for.

    Args:
        contract: what was agreed.
        period: counted from 0.
    """
    by_itself = contract.agreement(period).once is not None
    plan = contract.plan(period + 1 if by_itself else period)
    if plan.texts is None:
        return None
    words = PeriodInWords(
        period=period,
        start=contract.day(period),
        end=contract.day(period + 1),
        plan=plan.plan_id,
        merchant_reference=contract.terms.merchant_reference,
    )
    texts = plan.texts.filled(words)
    return texts.of_the_seller if texts is not None and by_itself else texts
