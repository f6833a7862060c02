"""Sending notices: again where they were not delivered, and samples for whoever writes an endpoint."""

from collections import Counter
from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import Response
from temporalio.service import RPCError

from amazon_pay_client import Region
from perennial_billing.activities.notices import ENDPOINT_SECONDS
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Refused
from perennial_billing.ledger.endpoints import Endpoint
from perennial_billing.ledger.undelivered import DeliverySearch
from perennial_billing.starter.api.access import Admin
from perennial_billing.starter.api.forms import Form
from perennial_billing.starter.api.links import Link, leading, to_endpoint
from perennial_billing.starter.api.problems import AGAIN_AFTER_SECONDS, ProblemError
from perennial_billing.starter.api.repeating import IdempotencyKey, once
from perennial_billing.starter.api.routes.common import problems
from perennial_billing.starter.api.routes.notices import EndpointPath
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.endpoints import EndpointNotFoundError
from perennial_billing.starter.many.runner import Outcome
from perennial_billing.starter.notices import SendingAgain, headers_of, sample_of, try_sample

router = APIRouter(prefix="/v1", tags=["Notices"])

MOST: Final = 200
"""Deliveries that one request begins again: 20 a second are, and somebody waits for the answer."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class Again(Form):
    """What is to be sent again: one notice by its number, or all that is undelivered."""

    charge_permission_id: Name | None = Field(default=None, description="Only of this one; needed with a number.")
    number: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="Of one notice, delivered or not; all that is undelivered where it is not given."
    )
    endpoint: Name | None = Field(default=None, description="Only to this endpoint.")
    cursor: Annotated[str, StringConstraints(max_length=256)] = ""

    @property
    def search(self) -> DeliverySearch:
        """As the ledger takes it.

        Raises:
            Refused: a number is nobody's.
        """
        if self.number is not None and self.charge_permission_id is None:
            raise Refused("charge_permission_id", "", "with a number, the charge permission is needed that told it")
        return DeliverySearch(self.charge_permission_id, self.number, self.endpoint, undelivered=self.number is None)


class SentAgain(BaseModel):
    """What became of it."""

    done: int = Field(description="Are being sent again; what becomes of them, the list of deliveries tells.")
    already: int = Field(description="Were being sent.")
    refused: dict[str, int] = Field(description="Cannot be sent: how many, by why.")
    next_cursor: str | None = Field(default=None, description="There may be more: send it again with this as `cursor`.")


class Sample(Form):
    """A notice about nobody's charge permission."""

    type: NoticeType = NoticeType.PERIOD_PAID


class SampleSent(BaseModel):
    """What the endpoint did with it."""

    webhook_id: str
    taken: bool = Field(description="A notice would count as delivered.")
    status: int | None = Field(default=None, description="What was answered.")
    trouble: str | None = Field(default=None, description="Why there was no answer.")
    seconds: float


class SignedSample(BaseModel):
    """What would be sent, its signatures hold for five minutes."""

    headers: dict[str, str]
    body: str


@router.post(
    "/deliveries/resend",
    operation_id="resendDeliveries",
    response_model=SentAgain,
    responses=problems(404)
    | leading(
        Link("resendDeliveries", body={"cursor": "$response.body#/next_cursor"}, name="nextPage"),
        Link("listDeliveries"),
    ),
)
async def resend_deliveries(
    request: Request, key: Admin, services: ServicesDep, wanted: Again, idempotency_key: IdempotencyKey
) -> Response:
    """Send a notice again, or all that is undelivered, up to 200 a request: each with the webhook id that it had."""
    search = wanted.search

    async def send(_request_id: str) -> SentAgain:
        counts, refused, last = Counter[Outcome](), Counter[str](), None
        sending = await _sending(services)
        try:
            async for result in sending.all_of(search, after=wanted.cursor):
                counts[result.outcome] += 1
                if result.outcome is Outcome.REFUSED:
                    refused[result.why] += 1
                last = result.subject
                if counts.total() == MOST:
                    break
        except RPCError as error:
            raise _not_taken(error) from error
        if search.number is not None and not counts:
            detail = f"charge permission {search.charge_permission_id}: no notice {search.number} was on its way"
            raise ProblemError(404, "not-found", "There is no such delivery", detail)
        return SentAgain(
            done=counts[Outcome.DONE],
            already=counts[Outcome.ALREADY],
            refused=dict(refused),
            next_cursor=last if counts.total() == MOST else None,
        )

    return await once(request, key, idempotency_key, send)


@router.post(
    "/endpoints/{endpoint_id}/test",
    operation_id="testEndpoint",
    response_model=SampleSent,
    responses=problems(404) | leading(*to_endpoint("disableEndpoint", "enableEndpoint")),
)
async def send_sample(
    request: Request,
    key: Admin,
    services: ServicesDep,
    endpoint_id: EndpointPath,
    wanted: Sample,
    idempotency_key: IdempotencyKey,
) -> Response:
    """Send an endpoint a sample, signed, once and from here; also one that is disabled. Its webhook id begins with
    `sample-`, and it is about nobody's charge permission."""

    async def send(request_id: str) -> SampleSent:
        endpoint = await _endpoint(services, endpoint_id)
        message = sample_of(wanted.type, Region.parse(services.settings.region), request_id[:16])
        async with services.reach.posts() as http:
            tried = await try_sample(message, endpoint, http, ENDPOINT_SECONDS)
        return SampleSent(
            webhook_id=message.id,
            taken=tried.was_taken,
            status=tried.status,
            trouble=tried.trouble,
            seconds=round(tried.seconds, 3),
        )

    return await once(request, key, idempotency_key, send)


@router.post(
    "/endpoints/{endpoint_id}/test/dry-run",
    operation_id="tryTestEndpoint",
    responses=problems(404)
    | leading(Link("testEndpoint", {"endpoint_id": "$request.path.endpoint_id"}, "$request.body")),
)
async def try_sample_of(_key: Admin, services: ServicesDep, endpoint_id: EndpointPath, wanted: Sample) -> SignedSample:
    """A sample, signed for an endpoint, and not sent: for a test of the endpoint's own."""
    message = sample_of(wanted.type, Region.parse(services.settings.region))
    return SignedSample(headers=headers_of(message, await _endpoint(services, endpoint_id)), body=message.body)


async def _endpoint(services: Services, endpoint_id: str) -> Endpoint:
    """One with its secrets: of that of the environment variables, they stand there."""
    found = await services.reach.endpoints.of(endpoint_id)
    if found is None:
        raise EndpointNotFoundError(endpoint_id)
    return found


async def _sending(services: Services) -> SendingAgain:
    try:
        deliveries = await services.reach.deliveries()
    except RPCError as error:
        raise _not_taken(error) from error
    settings = services.settings
    return SendingAgain(services.ledger, deliveries, Region.parse(settings.region), settings.amazon_pay_origin)


def _not_taken(error: RPCError) -> ProblemError:
    detail = f"Temporal does not take it now ({error.status.name}); the same request goes on"
    again = {"Retry-After": str(AGAIN_AFTER_SECONDS)}
    return ProblemError(503, "not-answered", "It was not answered in time", detail, headers=again)
