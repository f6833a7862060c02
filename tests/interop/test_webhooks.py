"""The reference libraries of Standard Webhooks take notices of every type, as they arrive over the wire.

None of our code is in them: where what signs here and what verifies in our other tests share a mistake, these do not.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amazon_pay_client import Region
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from perennial_billing.activities.payloads import example_of
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.runtime.http import bind, serving
from perennial_billing.starter.notices import sample_of
from tests.interop.node_sdk import install
from tests.interop.programs import run

HERE: Final = Path(__file__).parent / "webhooks"
SCRIPT: Final = ("package.json", "package-lock.json", "verify.mjs")
SECONDS: Final = 30.0

OLDER: Final = "whsec_" + base64.b64encode(b"the older of a merchant's secrets").decode()
NEWER: Final = "whsec_" + base64.b64encode(b"the newer of a merchant's secrets").decode()
ANOTHERS: Final = "whsec_" + base64.b64encode(b"the secret of another merchant's").decode()


@dataclass(frozen=True)
class Arrived:
    """A post as it came over the wire, and the secrets that it is verified by."""

    headers: Mapping[str, str]
    body: str
    secrets: tuple[str, ...] = (NEWER, OLDER, ANOTHERS)

    @property
    def event(self) -> Any:
        return json.loads(self.body)


@pytest_asyncio.fixture(scope="module")
async def arrived() -> list[Arrived]:
    """One notice of each type and a sample, signed by two secrets; then one with a letter of its body changed."""
    came: list[Arrived] = []

    async def take(request: Request) -> Response:
        came.append(Arrived(dict(request.headers), (await request.body()).decode()))
        return Response(status_code=204)

    app = Starlette(routes=[Route("/notices", take, methods=["POST"])])
    async with (
        serving(app, bind("127.0.0.1", 0)) as origin,
        bounded_client(at_once=1, bounds=Bounds(seconds=10)) as http,
    ):
        posts = SignedPosts(f"{origin}/notices", [NEWER, OLDER], http, 10.0)
        for message in (*map(example_of, NoticeType), sample_of(NoticeType.PERIOD_PAID, Region.JP)):
            assert (await posts.post(message.id, message.body)).status_code == 204
    first = came[0]
    return [*came, Arrived(first.headers, first.body.replace('"number": 1,', '"number": 2,'))]


Verified = list[list[dict[str, Any]]]
"""Of each post what came of each secret: the event, or why it was refused."""


def by_python(arrived: list[Arrived]) -> Verified:
    def tried(post: Arrived, secret: str) -> dict[str, Any]:
        try:
            return {"event": Webhook(secret).verify(post.body, dict(post.headers))}
        except WebhookVerificationError as error:
            return {"refused": str(error)}

    return [[tried(post, secret) for secret in post.secrets] for post in arrived]


async def by_node(arrived: list[Arrived], folder: Path) -> Verified:
    await install(folder, HERE, SCRIPT)
    (folder / "arrived").write_text("".join(json.dumps(asdict(post)) + "\n" for post in arrived))
    ended = await run(folder, SECONDS, {}, "node", "verify.mjs", "arrived")
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest_asyncio.fixture(scope="module", params=["python", "node"])
async def verified(
    request: pytest.FixtureRequest, arrived: list[Arrived], tmp_path_factory: pytest.TempPathFactory
) -> Verified:
    """What a reference library made of each."""
    if request.param == "python":
        return by_python(arrived)
    return await by_node(arrived, tmp_path_factory.mktemp("webhooks"))


def test_every_type_is_taken_by_whoever_knows_one_of_the_secrets(arrived: list[Arrived], verified: Verified) -> None:
    assert len(verified) == len(arrived) == len(NoticeType) + 2
    for post, (newer, older, anothers) in zip(arrived[:-1], verified[:-1], strict=True):
        assert newer == older == {"event": post.event}, post.event["type"]
        assert set(anothers) == {"refused"}, post.event["type"]
    assert {post.event["type"] for post in arrived} == {kind.value for kind in NoticeType}


def test_one_that_was_changed_on_its_way_is_taken_by_nobody(verified: Verified) -> None:
    assert [set(each) for each in verified[-1]] == [{"refused"}] * 3
