"""Histories decrypted for whoever looks at them in Temporal's Web UI or its command line: Temporal's codec server.

`POST /codec/decode` and `/codec/encode` take and give `Payloads` in protobuf's JSON, as Temporal's protocol wants it
(temporalio/samples-go, codec-server/protocol.md). The Web UI knows no key of ours and cannot be told one. So whoever
uses it signs in at `/codec` once, in the same browser: a cookie that no script reads, that goes to this address alone,
and that is only sent from pages of the same site. Programs send the key as everywhere: `Authorization: Bearer ...`.

A key has to be for all accounts, as a payload does not say whose it is; `read` decrypts, `act` encrypts. Which pages of
a browser may ask is a setting, and never all.
"""

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import parse_qs

import structlog
from fastapi import FastAPI, Request
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from perennial_billing.ledger.api_keys import ApiKey, Scope
from perennial_billing.starter.api.access import Keys, not_allowed, unauthorized
from perennial_billing.starter.api.problems import ProblemError, answers_with_problems
from perennial_billing.starter.api.services import Services

PATH: Final = "/codec"
COOKIE: Final = "perennial_codec"
SIGNED_IN_SECONDS: Final = 8 * 3600
"""A working day; the key itself can be revoked at any time."""

LARGEST_BODY_BYTES: Final = 4 * 1024 * 1024
"""As much as Temporal takes in one message."""

_LONGEST_NAMESPACE: Final = 255
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<title>Histories in Temporal's Web UI</title>
<h1>Histories in Temporal's Web UI</h1>
<p>{said}</p>
<form method="post" action="{path}">
<label>Key of the API, with the scope read and for all accounts:
<input name="key" type="password" autocomplete="off" required></label>
<button>Sign in</button>
</form>
"""

_log = structlog.get_logger("codec")


def codec_app(services: Services, keys: Keys) -> FastAPI:
    """Makes what is mounted at `/codec`.

    Args:
        services: of the API.
        keys: admits whoever has one, and counts how often.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    answers_with_problems(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(services.settings.codec_origins),
        allow_credentials=True,
        allow_methods=["POST"],
        allow_headers=["Content-Type", "X-Namespace", "Authorization", "Authorization-Extras"],
    )

    @app.post("/decode")
    async def decode(request: Request) -> Response:
        """Payloads as they were before they were encrypted."""
        key = await _admitted(request, services, keys, Scope.READ)
        given = await _payloads(request)
        _log.info("histories decrypted", actor=key.name, payloads=len(given), namespace=_namespace(request))
        return _answer(await _codec_of(services).decode(given))

    @app.post("/encode")
    async def encode(request: Request) -> Response:
        """Payloads as they are written."""
        await _admitted(request, services, keys, Scope.ACT)
        return _answer(await _codec_of(services).encode(await _payloads(request)))

    @app.get("/")
    async def page() -> HTMLResponse:
        """Where somebody signs in."""
        return _page("Sign in, and it shows what stands in them, in this browser, for eight hours.")

    @app.post("/")
    async def sign_in(request: Request) -> Response:
        """Keeps a key in a cookie, where it is one that may decrypt."""
        token = parse_qs((await request.body()).decode(errors="replace")).get("key", [""])[0].strip()
        try:
            _check(await keys.admit(services, token), Scope.READ, request)
        except ProblemError as error:
            return _page(f"That is refused: {escape(error.detail)}.", error.status)
        answer = RedirectResponse(f"{PATH}/signed-in", status_code=303, headers=_HEADERS)
        answer.set_cookie(
            COOKIE,
            token,
            max_age=SIGNED_IN_SECONDS,
            path=PATH,
            secure=request.url.hostname not in _LOOPBACK,
            httponly=True,
            samesite="strict",
        )
        return answer

    @app.get("/signed-in")
    async def signed_in() -> HTMLResponse:
        """What is seen then."""
        return _page("You are signed in: load the Web UI's page again. Another key can be given here.")

    return app


async def _admitted(request: Request, services: Services, keys: Keys, scope: Scope) -> ApiKey:
    """The key of a request, by its header or by the cookie.

    Raises:
        ProblemError: there is none, or it does not allow it.
        LedgerError: that cannot be found out now.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        token = request.cookies.get(COOKIE, "")
        if token and request.headers.get("origin") not in services.settings.codec_origins:
            raise not_allowed("only pages of PERENNIAL_CODEC_ORIGINS may ask with a cookie")
    if not token:
        raise unauthorized(f"no key was sent: sign in at {PATH}, or send Authorization: Bearer perennial_...")
    key = await keys.admit(services, token.strip())
    _check(key, scope, request)
    return key


def _check(key: ApiKey, scope: Scope, request: Request) -> None:
    request.state.api_key = key.name
    if scope not in key.scopes:
        raise not_allowed(f"the key {key.name!r} lacks the scope {scope.value}")
    if key.accounts:
        raise not_allowed(f"the key {key.name!r} is for some accounts alone, and a history does not say whose it is")


async def _payloads(request: Request) -> Sequence[Payload]:
    """What was sent.

    Raises:
        ProblemError: it is none.
    """
    try:
        return Parse(await request.body(), Payloads(), ignore_unknown_fields=True).payloads
    except (ParseError, ValueError, RecursionError):
        detail = 'Payloads in protobuf\'s JSON are accepted: {"payloads": [{"metadata": {}, "data": ""}]}, in base64'
        raise ProblemError(400, "not-possible", "These are no payloads", detail) from None


def _answer(payloads: Sequence[Payload]) -> Response:
    content = MessageToJson(Payloads(payloads=payloads), indent=None)
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


def _codec_of(services: Services) -> PayloadCodec:
    codec = services.reach.client.data_converter.payload_codec
    if codec is None:
        raise AssertionError("every client of ours has a codec")
    return codec


def _namespace(request: Request) -> str:
    return request.headers.get("x-namespace", "")[:_LONGEST_NAMESPACE]


def _page(said: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(said=said, path=f"{PATH}/"), status, headers=_HEADERS)
