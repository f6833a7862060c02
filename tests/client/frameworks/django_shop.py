"""A Django project in one file under WSGI, asked twenty times each: an async view, `async_to_sync`, a sync view."""

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import setup_testing_defaults

from asgiref.sync import async_to_sync
from django.conf import settings  # type: ignore[import-untyped]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

from tests.client.frameworks.shop import charge_awaited, charge_blocking


async def async_view(_request: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse(await charge_awaited(key))


def view_over_async_to_sync(_request: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse(async_to_sync(charge_awaited)(key))


def sync_view(_request: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse(charge_blocking(key))


urlpatterns = [
    path("async/<str:key>", async_view),
    path("async-to-sync/<str:key>", view_over_async_to_sync),
    path("sync/<str:key>", sync_view),
]

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of-a-test", DEBUG=True)
application = get_wsgi_application()


def get(address: str) -> tuple[int, str]:
    """What a WSGI server would answer: the status, and the text or the end of a traceback."""
    environ: dict[str, Any] = {"PATH_INFO": address, "wsgi.errors": io.StringIO()}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    body = b"".join(application(environ, lambda status, _headers: statuses.append(status)))
    return int(statuses[0].split()[0]), body.decode()[:200]


if __name__ == "__main__":
    addresses = [f"/{view}/{view}-{number}" for view in ("async", "async-to-sync", "sync") for number in range(20)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(get, addresses))
    sys.stdout.write(json.dumps([text if status == 200 else f"{status}: {text}" for status, text in answers]))
