"""What a merchant does with notices: sends again what was not delivered, and makes samples for who writes endpoints."""

import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from temporalio.service import RPCError

from amazon_pay_client import Region
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.deliveries import Deliveries
from perennial_billing.activities.payloads import example_of
from perennial_billing.activities.signatures import WebhookMessage
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.activities.webhooks import message_of
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.deliveries import DeliveryState
from perennial_billing.ledger.endpoints import Endpoint, all_endpoints, did_not_take
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.undelivered import (
    DeliveryFound,
    DeliverySearch,
    begin_again,
    find_deliveries,
    told_of,
)
from perennial_billing.starter.many.runner import Outcome, Result
from perennial_billing.starter.pacing import Pace

PER_SECOND = 20.0
"""How often something is sent again unless something else is asked for: an endpoint that was away has enough to do."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What an endpoint did with a sample.

    Attributes:
        status: what it answered; None where it did not.
        trouble: why there was no answer.
        seconds: how long it took.
    """

    status: int | None
    trouble: str | None
    seconds: float

    @property
    def was_taken(self) -> bool:
        """Whether a notice would count as delivered."""
        return self.status is not None and httpx.codes.is_success(self.status)


class SendingAgain:
    """Has deliveries begun again, each with the same webhook id and the whole schedule of attempts.

    Args:
        ledger: what was told, and what became of it.
        deliveries: starts them.
        region: whose page mends a payment method.
        origin: of a simulator whose page it is instead of Amazon's.
    """

    def __init__(self, ledger: Ledger, deliveries: Deliveries, region: Region, origin: str | None = None) -> None:
        self._ledger = ledger
        self._deliveries = deliveries
        self._region = region
        self._origin = origin

    async def all_of(
        self, search: DeliverySearch, per_second: float = PER_SECOND, *, after: str = ""
    ) -> AsyncIterator[Result]:
        """Sends again what is searched for, and not faster than a rate; may be broken off and repeated.

        Args:
            search: what.
            per_second: the rate.
            after: goes on after this delivery.

        Raises:
            LedgerError: the ledger cannot be used now; what was begun before stays so.
            RPCError: Temporal does not take it.
        """
        pace = Pace(per_second)
        while page := await find_deliveries(self._ledger, search, after=after):
            endpoints = {each.id: each for each in await all_endpoints(self._ledger)}
            for each in page:
                await pace.wait()
                yield await self._again(each, endpoints.get(each.endpoint))
            after = page[-1].id

    async def _again(self, found: DeliveryFound, endpoint: Endpoint | None) -> Result:
        if endpoint is None:
            return _refused(found, f"there is no endpoint {found.endpoint} any more")
        if not endpoint.is_enabled:
            how = f"perennial endpoints enable {endpoint.id}"
            return _refused(found, f"the endpoint is disabled ({endpoint.disabled_for}): {how}")
        told = await told_of(self._ledger, found.charge_permission_id, found.number)
        if told is None:
            return _refused(found, "the ledger does not have the notice")
        sending = await begin_again(self._ledger, found)
        if sending is None:
            return Result(found.id, Outcome.ALREADY, "it is being sent again")
        notice = told.notices[0]
        message = message_of(
            notice,
            charge_permission_id=told.charge_permission_id,
            merchant_reference=told.merchant_reference,
            plan_id=told.plan_id,
            region=self._region,
            origin=self._origin,
        )
        about = {"endpoint": endpoint.id, "delivery": found.id, "sending": sending}
        summary = f"{notice.number}: {notice.type.value}, again"
        try:
            await self._deliveries.start(message.model_copy(update=about), summary)
        except RPCError:
            why = "Temporal did not take it when it was to be sent again"
            await did_not_take(self._ledger, found.id, sending, DeliveryState.GIVEN_UP, found.attempts, why, None)
            raise
        return Result(found.id, Outcome.DONE)


def sample_of(kind: NoticeType, region: Region, name: str | None = None) -> WebhookMessage:
    """A sample of a type, about nobody's charge permission; each has a webhook id of its own, or by a name's."""
    example = example_of(kind, region)
    return example.model_copy(update={"id": f"sample-{name or secrets.token_hex(8)}"})


def headers_of(message: WebhookMessage, endpoint: Endpoint) -> dict[str, str]:
    """What a message would be sent to an endpoint with now: its signatures hold for five minutes."""
    return SignedPosts.headers(message.id, message.body, _secrets(endpoint))


async def try_sample(message: WebhookMessage, endpoint: Endpoint, http: httpx.AsyncClient, seconds: float) -> Tried:
    """Sends a sample from here, once.

    Args:
        message: the sample.
        endpoint: to whom; also one that is disabled.
        http: within whose bounds.
        seconds: how long it may take.
    """
    begun = time.monotonic()
    try:
        answer = await SignedPosts(endpoint.url, _secrets(endpoint), http, seconds).post(message.id, message.body)
    except httpx.HTTPError as error:
        return Tried(None, f"no answer: {type(error).__name__}", time.monotonic() - begun)
    return Tried(answer.status_code, None, time.monotonic() - begun)


def body_of(message: WebhookMessage) -> object:
    """Its body as data."""
    return json.loads(message.body)


def _secrets(endpoint: Endpoint) -> Sequence[str]:
    return [secret.value for secret in endpoint.secrets]


def _refused(found: DeliveryFound, why: str) -> Result:
    return Result(found.id, Outcome.REFUSED, why)
