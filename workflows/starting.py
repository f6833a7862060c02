"""With what the workflow of a subscription is started, beside its input: the same for whoever starts one."""

from typing import TypedDict

from temporalio.common import Priority, TypedSearchAttributes

from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.subscription import Subscription
from perennial_billing.workflows.display import initial_search_attributes, static_summary
from perennial_billing.workflows.memo import first_charge_memo, initial_memo
from perennial_billing.workflows.names import workflow_id


class StartOptions(TypedDict):
    """What Temporal keeps of a workflow, and shows of it before a worker has seen it."""

    id: str
    search_attributes: TypedSearchAttributes
    static_summary: str
    memo: dict[str, Terms | str]
    priority: Priority


def start_options(subscription: Subscription, first_charge: str | None) -> StartOptions:
    """Those of a subscription.

    Args:
        subscription: as it begins, or goes on.
        first_charge: Amazon's id of the checkout's own charge that has paid period 0.
    """
    terms = subscription.terms
    return StartOptions(
        id=workflow_id(terms.charge_permission_id),
        search_attributes=initial_search_attributes(subscription),
        static_summary=static_summary(terms),
        memo={**initial_memo(terms), **first_charge_memo(first_charge)},
        priority=Priority(fairness_key=terms.merchant_account),
    )
