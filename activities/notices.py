"""Telling the merchant what happened: hands notices on, and delivers each as a signed webhook.

A subscription only hands its notices on. They are recorded in the ledger first: what cannot be recorded is not on its
way either, and stays in the subscription's outbox. Each is then delivered by an activity of its own that Temporal runs
outside of any workflow, so a dead or slow endpoint delays no billing, adds nothing to a subscription's history, and its
attempts and its failure can be seen.

The form of a webhook: the Standard Webhooks specification.
"""

import hashlib
import json
from datetime import UTC, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from temporalio import activity
from temporalio.client import Client
from temporalio.common import ActivityIDConflictPolicy, ActivityIDReusePolicy, RetryPolicy
from temporalio.exceptions import ActivityAlreadyStartedError, ApplicationError

from amazon_pay_client import Region
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.signatures import Announcement, NoticeActivities
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.billing.protocol.notices import NEEDS_THE_BUYER, Notice
from perennial_billing.billing.zones import RULES
from perennial_billing.ledger.deliveries import Delivery, DeliveryState
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.errors import LedgerError
from perennial_billing.ledger.ledger import Ledger

DELIVER: Final = "deliver_notice"
"""The type of the activities that deliver; what lists them searches by it."""

NOT_RECORDED: Final = "perennial_notices_not_recorded"
"""The metric that counts them, each time that it is tried."""

REFUSED: Final = "EndpointRefused"
"""The type of the error when the endpoint did not take a notice."""

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

_ATTEMPT_TIMEOUT: Final = timedelta(seconds=30)
ENDPOINT_SECONDS: Final = 20.0
"""How long the endpoint may take, to the last byte of its answer. That is over well before the attempt is: after one
that Temporal itself ends, Temporal chooses the wait."""

UNSAID: Final = RetryPolicy(
    initial_interval=RETRY_DELAYS[0],
    backoff_coefficient=5.0,
    maximum_interval=RETRY_DELAYS[-1],
    maximum_attempts=len(RETRY_DELAYS) + 1,
)
"""The waits where an attempt ended without a word, as when its worker was killed: Temporal knows no list, so they grow
from the first of the schedule to its last, and come to 75 hours in all as well."""

_ALL_ATTEMPTS: Final = sum(RETRY_DELAYS, timedelta()) + (len(RETRY_DELAYS) + 1) * _ATTEMPT_TIMEOUT
_GONE: Final = 410

DIGEST_LENGTH: Final = 16
"""Hexadecimal digits of a webhook's id: two contents of one number are never taken for each other."""


class WebhookMessage(BaseModel):
    """One webhook: its id, which is the same at every delivery and no other's, and its exact body."""

    model_config = ConfigDict(frozen=True)

    id: str
    body: str


class Announcer(NoticeActivities):
    """Hands notices on.

    Args:
        client: starts the deliveries.
        region: whose page mends a payment method.
        ledger: where all that is told is recorded.
        task_queue: where deliveries are worked on; None where the merchant has no endpoint: notices are logged.
        origin: of a simulator whose page it is instead of Amazon's.
    """

    def __init__(
        self, client: Client, region: Region, ledger: Ledger, task_queue: str | None, origin: str | None = None
    ) -> None:
        self._client = client
        self._region = region
        self._origin = origin
        self._ledger = ledger
        self._task_queue = task_queue

    @activity.defn
    async def announce(self, announcement: Announcement) -> bool | None:
        """See `NoticeActivities.announce`.

        Raises:
            LedgerError: nothing was recorded, and nothing is on its way.
        """
        await self._record(announcement)
        for notice in announcement.notices:
            message = message_of(notice, announcement, self._region, self._origin)
            if self._task_queue is None:
                activity.logger.info("notice", extra={"notice": json.loads(message.body)})
            else:
                await self._start_delivery(message, notice, announcement, self._task_queue)
        return True if announcement.rules not in {"", RULES} else None

    async def _record(self, announcement: Announcement) -> None:
        told = Told(
            charge_permission_id=announcement.charge_permission_id,
            merchant_account=announcement.merchant_account,
            merchant_reference=announcement.merchant_reference,
            plan_id=announcement.plan_id,
            notices=announcement.notices,
            summary=announcement.summary,
        )
        permission = announcement.charge_permission_id
        queued = [
            Delivery(delivery_id(permission, notice.number), permission, notice.number)
            for notice in (announcement.notices if self._task_queue is not None else ())
        ]
        try:
            await self._ledger.record(told, queued)
        except LedgerError:
            activity.metric_meter().create_counter(NOT_RECORDED, "Notices that could not be recorded.").add(
                len(told.notices), {"merchant_account": told.merchant_account}
            )
            raise

    async def _start_delivery(
        self, message: WebhookMessage, notice: Notice, announcement: Announcement, task_queue: str
    ) -> None:
        """Starts it, once: a worker that died may have started it, and the notice is then made anew, a little later.

        What Temporal knows by the delivery's id stands. So the webhook that was made first is the only one, and whoever
        sets the database back to an older one sets that back, too.
        """
        try:
            await self._client.start_activity(
                DELIVER,
                message,
                id=delivery_id(announcement.charge_permission_id, notice.number),
                task_queue=task_queue,
                id_reuse_policy=ActivityIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=ActivityIDConflictPolicy.FAIL,
                start_to_close_timeout=_ATTEMPT_TIMEOUT,
                schedule_to_close_timeout=_ALL_ATTEMPTS,
                retry_policy=UNSAID,
                summary=f"{notice.number}: {notice.type.value}",
            )
        except ActivityAlreadyStartedError:
            activity.logger.debug("notice was handed on before", extra={"notice": notice.number})


class Webhooks:
    """Delivers notices to the merchant's endpoint.

    Args:
        posts: to that endpoint.
        ledger: where it is recorded what became of each.
    """

    def __init__(self, posts: SignedPosts, ledger: Ledger) -> None:
        self._posts = posts
        self._ledger = ledger

    @activity.defn(name=DELIVER)
    async def deliver(self, message: WebhookMessage) -> None:
        """Posts one notice; anything but a 2xx is tried again later, but for 410: the endpoint is gone for good.

        Raises:
            ApplicationError: of type `EndpointRefused`; with the wait before the next attempt.
        """
        try:
            answer = await self._posts.post(message.id, message.body)
        except httpx.HTTPError as error:
            raise await self._failed(f"no answer: {type(error).__name__}") from None
        if not answer.is_success:
            raise await self._failed(f"status {answer.status_code}", final=answer.status_code == _GONE)
        await self._came_to(DeliveryState.DELIVERED)

    async def _failed(self, why: str, *, final: bool = False) -> ApplicationError:
        is_last = final or activity.info().attempt > len(RETRY_DELAYS)
        await self._came_to(DeliveryState.GIVEN_UP if is_last else DeliveryState.QUEUED, why)
        return _refused(why, final=final)

    async def _came_to(self, state: DeliveryState, trouble: str | None = None) -> None:
        """Records it; a notice that was taken is not sent again because that could not be written down."""
        info = activity.info()
        try:
            await self._ledger.came_to(info.activity_id, state, info.attempt, trouble)
        except LedgerError as error:
            activity.logger.warning("what became of a notice was not recorded", extra={"why": str(error)})


def delivery_id(charge_permission_id: str, number: int) -> str:
    """The id of the activity that delivers a notice: one for each number of a subscription."""
    return f"notice-{charge_permission_id}-{number}"


def message_of(notice: Notice, announcement: Announcement, region: Region, origin: str | None = None) -> WebhookMessage:
    """The webhook of a notice.

    Its id tells the contents as well as the number: after the database was set back to an older one, a number is told
    again with what happened then, and an endpoint that drops the ids it knows is to hear of that.
    """
    fields = notice.model_dump(mode="json", exclude={"type", "at"}, exclude_none=True)
    data: dict[str, Any] = {  # Any: JSON
        "charge_permission_id": announcement.charge_permission_id,
        "merchant_reference": announcement.merchant_reference,
        "plan_id": announcement.plan_id,
        **fields,
    }
    if notice.type in NEEDS_THE_BUYER:
        data["update_url"] = region.payment_method_update_url(announcement.charge_permission_id, origin)
    body = json.dumps({"type": notice.type.value, "timestamp": notice.at.astimezone(UTC).isoformat(), "data": data})
    digest = hashlib.sha256(body.encode()).hexdigest()[:DIGEST_LENGTH]
    delivery = delivery_id(announcement.charge_permission_id, notice.number)
    return WebhookMessage(id=f"{delivery}-{digest}", body=body)


def _refused(why: str, *, final: bool = False) -> ApplicationError:
    attempt = activity.info().attempt
    delay = RETRY_DELAYS[min(attempt, len(RETRY_DELAYS)) - 1]
    return ApplicationError(
        f"the notices' endpoint did not take it: {why}", type=REFUSED, non_retryable=final, next_retry_delay=delay
    )
