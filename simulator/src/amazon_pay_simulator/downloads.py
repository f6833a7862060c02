"""Where the contents of reports are fetched: addresses that need no signature, and are valid for a short time."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from amazon_pay_simulator.account import Account
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.operations.reports import DOWNLOADS

_MEDIA_TYPE: Final = "text/plain"


def downloads_router(account: Account, clock: Clock) -> APIRouter:
    """The addresses that Get Report Document tells."""
    router = APIRouter(prefix=DOWNLOADS, include_in_schema=False)

    @router.get("/{token}")
    async def download(request: Request, token: str) -> Response:
        content = account.reports.download(token, clock.time_of(request.headers))
        return Response(content, media_type=_MEDIA_TYPE)

    return router
