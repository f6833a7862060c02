"""A merchant's endpoint on loopback: takes notices, and believes only those that the official library verifies."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perennial_billing.activities.payloads import fields_of, schema
from perennial_billing.activities.webhooks import DIGEST_LENGTH
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.runtime.http import bind, serving

SECRET = "whsec_" + base64.b64encode(b"the secret of a merchant in tests").decode()


@dataclass
class Endpoint:
    """Keeps what it was told, by charge permission and number.

    Attributes:
        url: where it listens.
        statuses: the answers to the next posts; afterwards 204.
        posts: webhook ids in the order in which they came, refused ones included.
        is_there: whether workers of the house know of it.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    is_there: bool = True
    _told: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.posts.append(request.headers["webhook-id"])
        if self.statuses and (status := self.statuses.pop(0)) >= 300:
            return Response(status_code=status)
        event = Webhook(SECRET).verify(body, dict(request.headers))
        check_event(event)
        data = event["data"]
        told_by = {data["charge_permission_id"], data.get("dispute_id")}  # a dispute tells of itself after the end
        assert number_of(request.headers["webhook-id"]) in {f"{each}-{data['number']}" for each in told_by}
        self._told[data["charge_permission_id"]][data["number"]] = event
        return Response(status_code=204)

    async def told(self, charge_permission_id: str, number: int) -> list[dict[str, Any]]:
        """The notices about a permission in their order, once all up to a number are there."""
        async with asyncio.timeout(60):
            while len(self._told[charge_permission_id]) < number:
                await asyncio.sleep(0.02)
        return [event for _, event in sorted(self._told[charge_permission_id].items())]


def check_event(event: dict[str, Any]) -> None:
    """That an event is as the schema has it, and carries nothing that the schema does not know of."""
    kind = NoticeType(event["type"])
    _validator(kind).validate(event)
    always, maybe = fields_of(kind)
    assert set(event["data"]) <= {*always, *maybe}, f"{kind.value} carries more than its schema says"


@cache
def every_schema() -> dict[str, Any]:  # Any: JSON
    """The schema of all notices, made once: one for each type would cost seconds."""
    return schema()


@cache
def _validator(kind: NoticeType) -> Draft202012Validator:
    every = every_schema()
    return Draft202012Validator(every["$defs"][kind.value] | {"$defs": {"Money": every["$defs"]["Money"]}})


def number_of(webhook_id: str) -> str:
    """Of a notice's id: the charge permission and the number, without what tells its contents."""
    numbered, contents = webhook_id.removeprefix("notice-").rsplit("-", 1)
    assert len(contents) == DIGEST_LENGTH
    return numbered


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    """One that listens while the context is open."""
    listening = Endpoint()
    app = Starlette(routes=[Route("/notices", listening.take, methods=["POST"])])
    async with serving(app, bind("127.0.0.1", 0)) as origin:
        listening.url = f"{origin}/notices"
        yield listening
