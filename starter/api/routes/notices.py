"""Where notices go, and what became of them."""

import json
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from perennial_billing.activities.payloads import example_of, schema
from perennial_billing.billing.contract.terms import MerchantAccount
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.ledger.deliveries import DeliveryState
from perennial_billing.ledger.endpoints import Endpoint, all_endpoints
from perennial_billing.ledger.undelivered import DeliverySearch, find_deliveries
from perennial_billing.starter import endpoints
from perennial_billing.starter.api.access import Admin, Reader
from perennial_billing.starter.api.forms import Form, Page
from perennial_billing.starter.api.links import Link, leading, to_endpoint, to_next_page
from perennial_billing.starter.api.repeating import IdempotencyKey, once, repetitions_of
from perennial_billing.starter.api.routes.common import Limit, problems
from perennial_billing.starter.api.services import ServicesDep

router = APIRouter(prefix="/v1", tags=["Notices"])

EndpointPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$", description="The endpoint's id.")]


class EndpointView(BaseModel):
    """An endpoint, without its secrets."""

    id: str
    url: str
    types: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None = None
    disabled_for: str | None = None
    failing_since: AwareDatetime | None = None
    trouble: str | None = None
    secret_ids: tuple[int, ...] = ()

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """An endpoint's."""
        given = {name: getattr(endpoint, name) for name in cls.model_fields if name != "secret_ids"}
        return cls.model_validate(given | {"secret_ids": [secret.id for secret in endpoint.secrets]})


class NewEndpoint(Form):
    """An endpoint is to be told of notices."""

    url: Annotated[str, Field(max_length=1024)]
    types: tuple[str, ...] = ()
    accounts: tuple[MerchantAccount, ...] = Field(
        default=(), description="Short names of merchant accounts: only of their subscriptions; else of all."
    )
    secret: str | None = None


class MadeEndpoint(BaseModel):
    """An endpoint that was made, with the secret that its notices are signed with."""

    endpoint: EndpointView
    secret_id: int
    secret: str

    @classmethod
    def of(cls, made: endpoints.Made) -> Self:
        """What was made."""
        return cls(endpoint=EndpointView.of(made.endpoint), secret_id=made.secret_id, secret=made.secret)


class NewSecret(Form):
    """Another secret is to sign."""

    secret: str | None = Field(default=None, description="`whsec_` and base64; made where it is not given.")


class Delivered(BaseModel):
    """What became of a notice on its way to one endpoint."""

    id: str
    charge_permission_id: str
    number: int
    type: str | None = None
    endpoint: str
    state: DeliveryState
    attempts: int
    trouble: str | None = None
    since: AwareDatetime
    updated_at: AwareDatetime


_TAKES: Final = ("testEndpoint", "tryTestEndpoint", "disableEndpoint", "enableEndpoint", "addSecret", "removeEndpoint")
_AS_ADDED: Final = "$response.body#/endpoint/id"
_AS_ASKED: Final = "$request.path.endpoint_id"


@router.get(
    "/endpoints",
    operation_id="listEndpoints",
    responses=problems()
    | leading(
        *to_endpoint(*_TAKES, by="$response.body#/0/id"), Link("listDeliveries", {"endpoint": "$response.body#/0/id"})
    ),
)
async def list_endpoints(_key: Admin, services: ServicesDep) -> list[EndpointView]:
    """The endpoints that are told of notices, and how each stands."""
    return [EndpointView.of(each) for each in await all_endpoints(services.ledger)]


@router.post(
    "/endpoints",
    operation_id="addEndpoint",
    status_code=201,
    response_model=MadeEndpoint,
    responses=problems(409)
    | leading(
        *to_endpoint(*_TAKES, by=_AS_ADDED),
        Link("listEndpoints"),
        Link("listDeliveries", {"endpoint": _AS_ADDED}),
        Link("retireSecret", {"endpoint_id": _AS_ADDED, "secret_id": "$response.body#/secret_id"}),
        status=201,
    ),
)
async def add_endpoint(
    request: Request, key: Admin, services: ServicesDep, wanted: NewEndpoint, idempotency_key: IdempotencyKey
) -> Response:
    """Tell another endpoint of notices; workers know it within seconds. Its secret is in the answer, and nowhere later
    but in the same answer sent again."""

    async def add(request_id: str) -> MadeEndpoint:
        made = await endpoints.add_endpoint(
            services.ledger,
            services.settings,
            wanted.url,
            wanted.types,
            wanted.secret,
            accounts=wanted.accounts,
            identifier=f"ep-{request_id[:12]}",
        )
        return MadeEndpoint.of(made)

    return await once(request, key, idempotency_key, add, status=201)


@router.delete("/endpoints/{endpoint_id}", operation_id="removeEndpoint", status_code=204, responses=problems(404, 409))
async def remove_endpoint(_key: Admin, services: ServicesDep, endpoint_id: EndpointPath) -> None:
    """Tell an endpoint of nothing any more."""
    await endpoints.remove_endpoint(services.ledger, endpoint_id)


@router.post(
    "/endpoints/{endpoint_id}/enable",
    operation_id="enableEndpoint",
    responses=problems(404, 409)
    | leading(
        *to_endpoint("testEndpoint", "disableEndpoint"),
        Link("resendDeliveries", body={"endpoint": _AS_ASKED}),
    ),
)
async def enable_endpoint(_key: Admin, services: ServicesDep, endpoint_id: EndpointPath) -> EndpointView:
    """Tell an endpoint of notices again; what it has missed is sent by `/v1/deliveries/resend`."""
    return EndpointView.of(await endpoints.enable_endpoint(services.ledger, endpoint_id))


@router.post(
    "/endpoints/{endpoint_id}/disable",
    operation_id="disableEndpoint",
    responses=problems(404, 409)
    | leading(*to_endpoint("enableEndpoint", "removeEndpoint"), Link("listDeliveries", {"endpoint": _AS_ASKED})),
)
async def disable_endpoint(_key: Admin, services: ServicesDep, endpoint_id: EndpointPath) -> EndpointView:
    """Tell an endpoint of nothing for now; what comes meanwhile is kept as not sent."""
    return EndpointView.of(await endpoints.disable_endpoint(services.ledger, endpoint_id))


@router.post(
    "/endpoints/{endpoint_id}/secrets",
    operation_id="addSecret",
    status_code=201,
    response_model=MadeEndpoint,
    responses=problems(404, 409)
    | leading(
        *to_endpoint("testEndpoint", "tryTestEndpoint"),
        Link("retireSecret", {"endpoint_id": _AS_ASKED, "secret_id": "$response.body#/endpoint/secret_ids/1"}),
        status=201,
    ),
)
async def add_secret(
    request: Request,
    key: Admin,
    services: ServicesDep,
    endpoint_id: EndpointPath,
    wanted: NewSecret,
    idempotency_key: IdempotencyKey,
) -> Response:
    """Sign with another secret too, so that the receiver may come to know it at any time; then retire the old one."""

    async def add(request_id: str) -> MadeEndpoint:
        async def decide() -> str:
            return wanted.secret or endpoints.new_secret()

        secret = await repetitions_of(request).first(key, request_id, decide)
        return MadeEndpoint.of(await endpoints.add_secret(services.ledger, endpoint_id, secret))

    return await once(request, key, idempotency_key, add, status=201)


@router.delete(
    "/endpoints/{endpoint_id}/secrets/{secret_id}", operation_id="retireSecret", responses=problems(404, 409)
)
async def retire_secret(
    _key: Admin,
    services: ServicesDep,
    endpoint_id: EndpointPath,
    secret_id: Annotated[int, Path(ge=0, le=2**31 - 1, description="The secret's id.")],
) -> EndpointView:
    """Sign with a secret no more; the last one stays."""
    return EndpointView.of(await endpoints.retire_secret(services.ledger, endpoint_id, secret_id))


_DELIVERY: Final = {
    "charge_permission_id": "$response.body#/data/0/charge_permission_id",
    "number": "$response.body#/data/0/number",
    "endpoint": "$response.body#/data/0/endpoint",
}


@router.get(
    "/deliveries",
    operation_id="listDeliveries",
    responses=problems() | leading(Link("resendDeliveries", body=_DELIVERY), to_next_page("listDeliveries")),
)
async def list_deliveries(
    key: Reader,
    services: ServicesDep,
    charge_permission_id: Annotated[str | None, Query(max_length=64)] = None,
    number: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    endpoint: Annotated[str | None, Query(max_length=64)] = None,
    state: DeliveryState | None = None,
    undelivered: bool = False,  # noqa: FBT001, FBT002 - a parameter of the address
    cursor: Annotated[str, Query(max_length=256)] = "",
    limit: Limit = 100,
) -> Page[Delivered]:
    """What became of notices on their way to endpoints; with `undelivered` those that nobody will deliver by itself."""
    search = DeliverySearch(charge_permission_id, number, endpoint, state, undelivered, sorted(key.accounts))
    found = await find_deliveries(services.ledger, search, after=cursor, limit=limit)
    data = [Delivered.model_validate({name: getattr(each, name) for name in Delivered.model_fields}) for each in found]
    return Page(data=data, next_cursor=found[-1].id if len(found) == limit else None)


@router.get("/notices/schema", operation_id="getNoticeSchema", responses=problems())
async def get_notice_schema(_key: Reader) -> dict[str, Any]:  # Any: a JSON Schema
    """The JSON Schema of every type of notice."""
    return schema()


@router.get("/notices/examples/{type}", operation_id="getNoticeExample", responses=problems())
async def get_notice_example(_key: Reader, type: NoticeType) -> dict[str, Any]:  # noqa: A002 - Any: a notice
    """An example of a notice, about nobody's charge permission, for whoever writes an endpoint."""
    body: dict[str, Any] = json.loads(example_of(type).body)  # Any: as above
    return body
