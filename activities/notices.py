"""Telling the merchant what happened: hands notices on, and delivers each as a signed webhook.

A subscription only hands its notices on. They are recorded in the ledger first: what cannot be recorded is not on its
way either, and stays in the subscription's outbox. Each is then delivered to each endpoint that wants it; see
`activities.deliveries`. An endpoint that is disabled is sent nothing: that is recorded, and can be sent later.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from amazon_pay_client import Region
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.agreement import ledger_ahead
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.endpoints import Endpoints
from perennial_billing.activities.signatures import (
    DELIVER,
    RETRY_DELAYS,
    Announcement,
    DeliveryActivities,
    NoticeActivities,
    WebhookMessage,
)
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.activities.webhooks import delivery_id, message_of
from perennial_billing.billing.dunning.reasons import counted_as
from perennial_billing.billing.protocol.notices import Notice, NoticeType
from perennial_billing.billing.zones import RULES
from perennial_billing.ledger.deliveries import Delivery, DeliveryState
from perennial_billing.ledger.endpoints import DisabledFor, Endpoint, did_not_take, disable, took
from perennial_billing.ledger.entries import Told
from perennial_billing.ledger.errors import LedgerAheadError, LedgerError
from perennial_billing.ledger.ledger import Ledger

NOT_RECORDED: Final = "perennial_notices_not_recorded"
"""The metric that counts them, each time that it is tried."""

TOLD: Final = "perennial_told"
DELIVERED: Final = "perennial_notice_posts"
RECOVERED: Final = "perennial_recovered"

DISABLED: Final = "perennial_endpoints_disabled"
"""The metric that counts endpoints as they are disabled by what they answered, or did not."""

REFUSED: Final = "EndpointRefused"
"""The type of the error when the endpoint did not take a notice."""

ENDPOINT_SECONDS: Final = 20.0
"""How long the endpoint may take, to the last byte of its answer. That is over well before the attempt is: after one
that Temporal itself ends, Temporal chooses the wait."""

_GONE: Final = 410


RegionOf = Callable[[str], Awaitable[Region]]
"""Tells the region of a merchant account."""


class Announcer(NoticeActivities):
    """Hands notices on.

    Args:
        deliveries: starts them.
        region_of: the region of a merchant account, whose page mends a payment method.
        ledger: where all that is told is recorded.
        endpoints: who is told; where there are none, notices are logged.
        origin: of a simulator whose page it is instead of Amazon's.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        region_of: RegionOf,
        ledger: Ledger,
        endpoints: Endpoints,
        origin: str | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._region_of = region_of
        self._origin = origin
        self._ledger = ledger
        self._endpoints = endpoints

    @activity.defn
    async def announce(self, announcement: Announcement) -> bool | None:
        """See `NoticeActivities.announce`.

        Raises:
            ApplicationError: of type `LedgerAhead`; nothing was recorded, and nothing is on its way.
            LedgerError: as well.
        """
        endpoints = await self._record(announcement)
        account = announcement.merchant_account
        region = await self._region_of(account)
        for notice in announcement.notices:
            message = message_of(
                notice,
                charge_permission_id=announcement.charge_permission_id,
                merchant_reference=announcement.merchant_reference,
                plan_id=announcement.plan_id,
                region=region,
                origin=self._origin,
            )
            if not endpoints:
                activity.logger.info("notice", extra={"notice": json.loads(message.body)})
            told = [each for each in endpoints if each.is_enabled and each.wants(notice.type, account)]
            permission = announcement.charge_permission_id
            await asyncio.gather(*(self._start_delivery(message, notice, permission, each.id) for each in told))
        return True if announcement.rules not in {"", RULES} else None

    async def _record(self, announcement: Announcement) -> Sequence[Endpoint]:
        """Those who are told of it, or would be if they were not disabled."""
        told = Told(
            charge_permission_id=announcement.charge_permission_id,
            merchant_account=announcement.merchant_account,
            merchant_reference=announcement.merchant_reference,
            plan_id=announcement.plan_id,
            notices=announcement.notices,
            summary=announcement.summary,
            state=announcement.state,
            moment=announcement.moment,
        )
        permission = announcement.charge_permission_id
        try:
            endpoints = await self._endpoints.all()
            queued = [
                Delivery(
                    delivery_id(permission, notice.number, each.id),
                    permission,
                    notice.number,
                    each.id,
                    DeliveryState.QUEUED if each.is_enabled else DeliveryState.NOT_SENT,
                )
                for notice in announcement.notices
                for each in endpoints
                if each.wants(notice.type, announcement.merchant_account)
            ]
            recorded = await self._ledger.record(told, queued)
        except LedgerAheadError as error:
            raise ledger_ahead(error.told) from None
        except LedgerError:
            activity.metric_meter().create_counter(NOT_RECORDED, "Notices that could not be recorded.").add(
                len(told.notices), {"merchant_account": told.merchant_account}
            )
            raise
        _count_told([notice for notice in announcement.notices if notice.number in recorded], told.merchant_account)
        return endpoints

    async def _start_delivery(
        self, message: WebhookMessage, notice: Notice, charge_permission_id: str, endpoint: str
    ) -> None:
        delivery = delivery_id(charge_permission_id, notice.number, endpoint)
        sent = message.model_copy(update={"endpoint": endpoint, "delivery": delivery})
        if not await self._deliveries.start(sent, f"{notice.number}: {notice.type.value}"):
            activity.logger.debug("notice was handed on before", extra={"notice": notice.number})


class Webhooks(DeliveryActivities):
    """Delivers notices to the merchant's endpoints.

    Args:
        endpoints: where they are, and how they stand.
        http: the connection pool.
        ledger: where it is recorded what became of each.
        timeout_seconds: how long one post may take.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        http: httpx.AsyncClient,
        ledger: Ledger,
        timeout_seconds: float = ENDPOINT_SECONDS,
    ) -> None:
        self._endpoints = endpoints
        self._http = http
        self._ledger = ledger
        self._timeout_seconds = timeout_seconds

    @activity.defn(name=DELIVER)
    async def deliver(self, message: WebhookMessage) -> None:
        """Posts one notice; anything but a 2xx is tried again later, but for 410: the endpoint is gone for good.

        Raises:
            ApplicationError: of type `EndpointRefused`; with the wait before the next attempt.
        """
        try:
            endpoint = await self._endpoints.of(message.endpoint)
        except LedgerError as error:
            raise _refused(f"where it is cannot be looked up: {error}") from None
        if endpoint is None or not endpoint.is_enabled:
            why = (
                "the endpoint was removed" if endpoint is None else f"the endpoint is disabled: {endpoint.disabled_for}"
            )
            await self._did_not_take(message, why, None, final=True)
            raise _refused(why, final=True)
        secrets = [secret.value for secret in endpoint.secrets]
        posts = SignedPosts(endpoint.url, secrets, self._http, self._timeout_seconds)
        try:
            answer = await posts.post(message.id, message.body)
        except httpx.HTTPError as error:
            raise await self._failed(message, f"no answer: {type(error).__name__}", endpoint) from None
        if not answer.is_success:
            is_gone = answer.status_code == _GONE
            raise await self._failed(message, f"status {answer.status_code}", endpoint, final=is_gone)
        _count_delivery("taken", message.endpoint)
        await self._took(message)

    async def _failed(
        self, message: WebhookMessage, why: str, endpoint: Endpoint, *, final: bool = False
    ) -> ApplicationError:
        _count_delivery("failed", endpoint.id)
        disabled = await self._did_not_take(message, why, endpoint, final=final)
        if disabled is not None:
            self._endpoints.forget()
            about = {"endpoint": endpoint.id, "reason": disabled.value}
            activity.logger.error("an endpoint was disabled", extra=about | {"trouble": why})
            activity.metric_meter().create_counter(DISABLED, "Endpoints that were disabled.").add(1, about)
        return _refused(why, final=final)

    async def _did_not_take(
        self, message: WebhookMessage, why: str, endpoint: Endpoint | None, *, final: bool
    ) -> DisabledFor | None:
        """Records it, and why the endpoint is disabled from now on, where it is."""
        info = activity.info()
        is_last = final or info.attempt > len(RETRY_DELAYS)
        state = DeliveryState.GIVEN_UP if is_last else DeliveryState.QUEUED
        try:
            disabled = await did_not_take(
                self._ledger,
                message.delivery or info.activity_id,
                message.sending,
                state,
                info.attempt,
                why,
                endpoint.id if endpoint else None,
            )
            if final and endpoint and await disable(self._ledger, endpoint.id, DisabledFor.GONE, why):
                return DisabledFor.GONE
        except LedgerError as error:
            activity.logger.warning("what became of a notice was not recorded", extra={"why": str(error)})
            return None
        return disabled

    async def _took(self, message: WebhookMessage) -> None:
        """Records it; a notice that was taken is not sent again because that could not be written down."""
        info = activity.info()
        try:
            await took(self._ledger, message.delivery or info.activity_id, info.attempt, message.endpoint)
        except LedgerError as error:
            activity.logger.warning("what became of a notice was not recorded", extra={"why": str(error)})


def _count_delivery(outcome: str, endpoint: str) -> None:
    counter = activity.metric_meter().create_counter(DELIVERED, "Notices posted to endpoints, by outcome.")
    counter.add(1, {"outcome": outcome, "endpoint": endpoint})


def _count_told(notices: Sequence[Notice], account: str) -> None:
    """Counts what has happened, once each: as it is recorded first."""
    meter, labels = activity.metric_meter(), {"merchant_account": account}
    for notice in notices:
        told = meter.create_counter(TOLD, "What happened to subscriptions, by type of notice and reason code.")
        told.add(1, {**labels, "type": notice.type.value, "reason_code": counted_as(notice.reason_code)})
        if notice.type is NoticeType.PERIOD_PAID and (notice.attempt or 1) > 1:
            meter.create_counter(RECOVERED, "Periods that were paid after a decline.").add(1, labels)


def _refused(why: str, *, final: bool = False) -> ApplicationError:
    attempt = activity.info().attempt
    delay = RETRY_DELAYS[min(attempt, len(RETRY_DELAYS)) - 1]
    return ApplicationError(
        f"the notices' endpoint did not take it: {why}", type=REFUSED, non_retryable=final, next_retry_delay=delay
    )
