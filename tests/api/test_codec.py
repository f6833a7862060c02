"""Histories are decrypted for whoever has signed in, from the Web UI's pages alone, and for Temporal's command line."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pydantic import SecretStr
from temporalio.client import Client

from perennial_billing.ledger.api_keys import Scope, make
from perennial_billing.runtime.embedded import find_temporal
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.payloads import converter_of
from perennial_billing.sandbox.stage import Stage
from perennial_billing.starter.api.app import LARGEST_BODY_BYTES, create_app
from perennial_billing.starter.api.codec import COOKIE
from perennial_billing.starter.api.services import Services
from tests.api.conftest import Api

UI = "https://temporal.shop.example"
PLAIN = {"metadata": {"encoding": base64.b64encode(b"json/plain").decode()}, "data": base64.b64encode(b"431").decode()}


@dataclass
class Served:
    """An API with keys to decrypt with.

    Attributes:
        origin: where it is served.
        client: of Temporal, with the same keys.
        house: whose ledger keeps the keys of the API.
    """

    origin: str
    client: Client
    house: Stage

    async def token(self, *scopes: Scope, accounts: tuple[str, ...] = ()) -> str:
        return (await make(self.house.ledger, "support", scopes, accounts)).token

    async def ask(self, what: str, payloads: object, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            url = f"{self.origin}/codec/{what}?preserveStorageRefs=true"  # as the Web UI has it
            return await http.post(url, json={"payloads": payloads}, headers={"X-Namespace": "default"} | headers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(api: Api) -> AsyncIterator[Served]:
    keys = SecretStr("2026:" + base64.b64encode(b"k" * 32).decode())
    settings = api.house.settings.model_copy(update={"codec_keys": keys, "codec_origins": (UI,)})
    client = await Client.connect(api.house.server.address, data_converter=converter_of(settings))
    app = app_of(api, settings=settings, client=client)
    async with serving(app, bind("127.0.0.1", 0)) as origin:
        yield Served(origin, client, api.house)


def app_of(api: Api, *, settings: Any, client: Client) -> FastAPI:  # Any: settings
    services: Services = api.app.state.services
    return create_app(replace(services, settings=settings, reach=replace(services.reach, client=client)))


async def test_what_is_encoded_is_encrypted_and_decoded_again(served: Served) -> None:
    token = {"Authorization": f"Bearer {await served.token(Scope.READ, Scope.ACT)}"}

    encoded = (await served.ask("encode", [PLAIN, PLAIN], **token)).json()["payloads"]
    decoded = await served.ask("decode", [*encoded, PLAIN], **token)

    assert [base64.b64decode(each["metadata"]["encryption-key-id"]) for each in encoded] == [b"2026"] * 2
    assert decoded.json() == {"payloads": [PLAIN] * 3}
    assert decoded.headers["cache-control"] == "no-store"


async def test_reading_needs_the_scope_read_writing_act_and_both_all_accounts(served: Served) -> None:
    for scopes, accounts, what, status in (
        ((Scope.READ,), (), "decode", 200),
        ((Scope.READ,), (), "encode", 403),
        ((Scope.ACT, Scope.REFUND, Scope.ADMIN), (), "decode", 403),
        ((Scope.ACT,), (), "encode", 200),
        ((Scope.READ,), ("shop-eu",), "decode", 403),
    ):
        token = await served.token(*scopes, accounts=accounts)
        answer = await served.ask(what, [PLAIN], Authorization=f"Bearer {token}")
        assert answer.status_code == status, (scopes, accounts, what)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer perennial_none_none"},
        {"Authorization": "Basic Zm9vOmJhcg=="},
        {"Cookie": f"{COOKIE}=x"},
    ],
)
async def test_without_a_key_nothing_is_decrypted(served: Served, headers: dict[str, str]) -> None:
    for what in ("decode", "encode"):
        answer = await served.ask(what, [PLAIN], **{"Origin": UI} | headers)
        assert answer.status_code == 401
        assert "payloads" not in answer.json()


async def test_who_signs_in_in_a_browser_is_known_on_the_web_uis_pages_and_on_no_others(served: Served) -> None:
    token = await served.token(Scope.READ)
    async with httpx.AsyncClient(base_url=served.origin) as browser:
        page = await browser.get("/codec/")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        signed_in = await browser.post("/codec/", data={"key": token})
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/codec/signed-in")
        cookie = signed_in.headers["set-cookie"]
        for attribute in ("HttpOnly", "SameSite=strict", "Path=/codec", "Max-Age=28800"):
            assert attribute in cookie
        assert token not in (await browser.get("/codec/signed-in")).text

        answer = await browser.post("/codec/decode", json={"payloads": [PLAIN]}, headers={"Origin": UI})
        assert answer.json() == {"payloads": [PLAIN]}
        assert answer.headers["access-control-allow-origin"] == UI
        assert answer.headers["access-control-allow-credentials"] == "true"
        for origin in ({"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {}):
            other = await browser.post("/codec/decode", json={"payloads": [PLAIN]}, headers=origin)
            assert other.status_code == 403
            assert "access-control-allow-origin" not in other.headers


async def test_the_cookie_goes_over_tls_only_wherever_it_is_not_this_machine(served: Served) -> None:
    token = await served.token(Scope.READ)
    async with httpx.AsyncClient(base_url=served.origin) as browser:
        here = await browser.post("/codec/", data={"key": token})
        there = await browser.post("/codec/", data={"key": token}, headers={"Host": "api.shop.example"})

    assert "Secure" not in here.headers["set-cookie"]
    assert "Secure" in there.headers["set-cookie"]


async def test_a_key_that_is_none_signs_nobody_in_and_is_not_shown(served: Served) -> None:
    limited = await served.token(Scope.READ, accounts=("shop-eu",))
    async with httpx.AsyncClient(base_url=served.origin) as browser:
        for key, status in (("<b>perennial_no_key", 401), ("", 401), (limited, 403)):
            answer = await browser.post("/codec/", data={"key": key})
            assert answer.status_code == status
            assert "set-cookie" not in answer.headers
            assert "<b>" not in answer.text
            assert not key or key not in answer.text


async def test_a_browser_is_told_which_pages_may_ask(served: Served) -> None:
    """The preflight, which carries neither key nor cookie."""
    async with httpx.AsyncClient(base_url=served.origin) as browser:
        for origin, allowed in ((UI, UI), ("https://elsewhere.example", None)):
            asks = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-namespace",
            }
            answer = await browser.options("/codec/decode", headers=asks)
            assert answer.headers.get("access-control-allow-origin") == allowed
        outside = await browser.get("/v1/plans", headers={"Origin": UI})
        assert "access-control-allow-origin" not in outside.headers, "the rest of the API is for no page"


async def test_what_cannot_be_decrypted_or_is_no_payload_is_a_problem_that_says_so(served: Served) -> None:
    token = {"Authorization": f"Bearer {await served.token(Scope.READ)}"}
    other = {**PLAIN, "metadata": {
        "encoding": base64.b64encode(b"binary/encrypted").decode(),
        "encryption-key-id": base64.b64encode(b"2019").decode(),
    }}  # fmt: skip

    missing = await served.ask("decode", [PLAIN, other], **token)
    assert (missing.status_code, missing.json()["type"].rpartition(":")[2]) == (503, "key-missing")
    assert "PERENNIAL_CODEC_KEYS: lacks the key 2019" in missing.json()["detail"]
    no_payloads: list[object] = ["x", [1], [{"metadata": []}]]
    for payloads in no_payloads:
        assert (await served.ask("decode", payloads, **token)).status_code == 400


async def test_a_long_history_fits_in_and_not_more_than_temporal_would_take(served: Served) -> None:
    token = {"Authorization": f"Bearer {await served.token(Scope.READ)}"}
    long = {**PLAIN, "data": base64.b64encode(b"a" * LARGEST_BODY_BYTES).decode()}

    assert (await served.ask("decode", [long], **token)).status_code == 200
    assert (await served.ask("decode", [long] * 16, **token)).status_code == 413


async def test_temporals_command_line_shows_what_is_encrypted(served: Served) -> None:
    handle = await served.client.start_workflow("nobody-runs-it", "for 431.57 USD", id="odd-one", task_queue="nobody")
    key = await served.token(Scope.READ)
    process = await asyncio.create_subprocess_exec(
        find_temporal(),
        *("workflow", "show", "--workflow-id", handle.id, "--address", served.house.server.address),
        *("--output", "json", "--codec-endpoint", f"{served.origin}/codec", "--codec-auth", f"Bearer {key}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shown = (await process.communicate())[0].decode()
    await handle.terminate()

    assert base64.b64encode(b'"for 431.57 USD"').decode() in shown
