"""What a workflow may ask for: names, inputs and outputs of the activities, and nothing of how they work.

A known outcome, also a decline, is returned; only an unknown outcome is raised, so that Temporal repeats the same
input, and with it the same idempotency key and body, until the outcome is known.
"""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity
from temporalio.common import RetryPolicy

from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.recurrence import Recurrence
from perennial_billing.billing.plan.texts import ChargeTexts
from perennial_billing.billing.protocol.answers import ChargeAnswer, DisputeAnswer, PermissionAnswer, RefundAnswer
from perennial_billing.billing.protocol.moment import Moment
from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.protocol.recollection import Recalled, Recollection
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.summary import Summary

OUTCOME_UNKNOWN: Final = "OutcomeUnknown"
"""The type of the error that an activity raises while it does not know what Amazon did."""

DELIVER: Final = "deliver_notice"
"""The type of the activities that deliver; what lists them searches by it."""

DELIVERY_WORKFLOW: Final = "DeliveryWorkflow"
"""The type of the workflow that does so where activities cannot be run outside of workflows."""

RETRY_DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Waits after each failed delivery: those of the Standard Webhooks specification, 75 hours and a half in all."""

ATTEMPT_TIMEOUT: Final = timedelta(seconds=30)

UNSAID: Final = RetryPolicy(
    initial_interval=RETRY_DELAYS[0],
    backoff_coefficient=5.0,
    maximum_interval=RETRY_DELAYS[-1],
    maximum_attempts=len(RETRY_DELAYS) + 1,
)
"""The waits where an attempt ended without a word, as when its worker was killed: Temporal knows no list, so they grow
from the first of the schedule to its last, and come to 75 hours in all as well."""

ALL_ATTEMPTS: Final = sum(RETRY_DELAYS, timedelta()) + (len(RETRY_DELAYS) + 1) * ATTEMPT_TIMEOUT


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


LEDGER_AHEAD: Final = "LedgerAhead"
"""The type of the error when the ledger knows more of a subscription than itself, so that nothing was done; its detail
is the number of the last notice that the ledger knows."""


class Acting(_Input):
    """What changes something at Amazon's. It is not done where the ledger knows more of the subscription.

    Attributes:
        charge_permission_id: whose subscription it is done for.
        told: how many notices that has told, or is about to; None where there is nothing to compare.
    """

    charge_permission_id: str | None = None
    told: int | None = None


class CreateCharge(Acting):
    """The exact request of one attempt: recorded in the history before anything is sent."""

    charge_permission_id: str
    amount: Money
    idempotency_key: str
    merchant_reference: str
    capture_now: bool = True
    can_handle_pending_authorization: bool = False
    texts: ChargeTexts | None = None


class CaptureCharge(Acting):
    """The exact request to capture an authorized charge: recorded in the history before anything is sent."""

    charge_id: str
    amount: Money
    idempotency_key: str
    soft_descriptor: str | None = None


class ReadCharge(_Input):
    """Which charge to read."""

    charge_id: str


class CreateRefund(Acting):
    """The exact request of one refund: recorded in the history before anything is sent."""

    charge_id: str
    amount: Money
    idempotency_key: str
    soft_descriptor: str | None = None


class ReadRefund(_Input):
    """Which refund to read."""

    refund_id: str


class ReadDispute(_Input):
    """Which dispute to read."""

    dispute_id: str


class ReadPermission(_Input):
    """Which charge permission to read."""

    charge_permission_id: str


class UpdatePermission(Acting):
    """What Amazon is to know of the plan that is charged under a charge permission."""

    charge_permission_id: str
    recurrence: Recurrence


class ClosePermission(Acting):
    """Which charge permission to close, and what to tell Amazon as the reason (at most 255 characters)."""

    charge_permission_id: str
    reason: str
    cancel_pending_charges: bool = False


class AmountQuestion(_Input):
    """Which period's amount is to be decided.

    Attributes:
        charge_permission_id: whose.
        merchant_reference: the merchant's own.
        plan_id: the plan's.
        quantity: how many units of it.
        period: counted from 0.
        due: when it falls due (UTC).
        until: when the next one does (UTC).
        at_most: what the plan says; no more can be charged.
    """

    charge_permission_id: str
    merchant_reference: str
    plan_id: str
    quantity: int
    period: int
    due: AwareDatetime
    until: AwareDatetime
    at_most: Money


class Announcement(_Input):
    """What is to be told the merchant about one subscription.

    Attributes:
        charge_permission_id: whose.
        merchant_reference: the merchant's own.
        plan_id: the plan's.
        notices: oldest first.
        rules: the edition of the zones' rules that its dates were reckoned by.
        merchant_account: whose subscription it is.
        summary: how the subscription stands after them; None where it had ended before.
        state: all that it knows, as JSON; None where it had ended before. A local activity's input is in no history.
        moment: when in its workflow's history it is told; None where it had ended before.
    """

    charge_permission_id: str
    merchant_reference: str
    plan_id: str
    notices: tuple[Notice, ...]
    rules: str = ""
    merchant_account: str = "default"
    summary: Summary | None = None
    state: str | None = None
    moment: Moment | None = None


class Standing(_Input):
    """How far a subscription knows of itself.

    Attributes:
        charge_permission_id: whose.
        told: how many notices it has told, or is about to.
        moment: when in its workflow's history that is.
    """

    charge_permission_id: str
    told: int
    moment: Moment | None = None


class KeptState(_Input):
    """What the ledger has kept of a subscription.

    Attributes:
        told: how many notices it had told when it told something last.
        last: the highest number of a notice, also of what was told after its end.
        subscription: all that it knew when it told something last; None where it has told nothing since the ledger
            keeps that.
    """

    told: int
    last: int
    subscription: Subscription | None = None


class WebhookMessage(BaseModel):
    """One webhook on its way to one endpoint.

    Attributes:
        id: the same at every delivery, and no other's.
        body: exactly as it is signed and sent.
        endpoint: to which.
        delivery: under which the ledger knows it; the id of the activity where it is not given.
        sending: how often it was begun, counted from 1.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    body: str
    endpoint: str = "environment"
    delivery: str = ""
    sending: int = 1


class AmountActivities(ABC):
    """Asking the merchant what is to be charged."""

    @activity.defn
    @abstractmethod
    async def decide_amount(self, question: AmountQuestion) -> Money:
        """What a period costs."""


class LedgerActivities(ABC):
    """Looking up what nobody remembers any more."""

    @activity.defn
    @abstractmethod
    async def recall(self, wanted: Recollection) -> Recalled:
        """What the ledger knows."""

    @activity.defn
    @abstractmethod
    async def check_agreement(self, standing: Standing) -> None:
        """Fails, as `LedgerAhead`, where the ledger knows more of a subscription than itself."""

    @activity.defn
    @abstractmethod
    async def kept_state(self, standing: Standing) -> KeptState:
        """What the ledger has kept of a subscription."""


class NoticeActivities(ABC):
    """Telling the merchant."""

    @activity.defn
    @abstractmethod
    async def announce(self, announcement: Announcement) -> bool | None:
        """Hands notices on to be delivered, once each however often it is asked; waits for no delivery.

        Answers True where the zones' rules have changed since the subscription's dates were reckoned, so that this
        stands in the history; nothing else, which costs nothing there.
        """


class DeliveryActivities(ABC):
    """Bringing a notice to one endpoint of the merchant's."""

    @activity.defn(name=DELIVER)
    @abstractmethod
    async def deliver(self, message: WebhookMessage) -> None:
        """Posts it once; one that was not taken fails with the wait before the next attempt."""


class AmazonPayActivities(ABC):
    """Calls to Amazon Pay."""

    @activity.defn
    @abstractmethod
    async def create_charge(self, request: CreateCharge) -> ChargeAnswer:
        """Charges the buyer; the same input is charged once however often it is sent."""

    @activity.defn
    @abstractmethod
    async def capture_charge(self, request: CaptureCharge) -> ChargeAnswer:
        """Captures an authorized charge; the same input captures once however often it is sent."""

    @activity.defn
    @abstractmethod
    async def read_charge(self, request: ReadCharge) -> ChargeAnswer:
        """Reads how a charge stands."""

    @activity.defn
    @abstractmethod
    async def create_refund(self, request: CreateRefund) -> RefundAnswer:
        """Gives money back; the same input gives it back once however often it is sent."""

    @activity.defn
    @abstractmethod
    async def read_refund(self, request: ReadRefund) -> RefundAnswer:
        """Reads how a refund stands; a refund that Amazon does not show now is still pending."""

    @activity.defn
    @abstractmethod
    async def read_dispute(self, request: ReadDispute) -> DisputeAnswer:
        """Reads how a dispute stands."""

    @activity.defn
    @abstractmethod
    async def read_permission(self, request: ReadPermission) -> PermissionAnswer:
        """Reads whether the charge permission can be charged."""

    @activity.defn
    @abstractmethod
    async def update_permission(self, request: UpdatePermission) -> PermissionAnswer:
        """Tells Amazon, and by it the buyer, how often how much is charged; the same input may be sent again."""

    @activity.defn
    @abstractmethod
    async def close_permission(self, request: ClosePermission) -> PermissionAnswer:
        """Closes the charge permission; closing a closed one is a success."""
