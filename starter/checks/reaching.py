"""Asks addresses of the merchant's whether they answer. Nothing is decided here, and nothing is sent to them."""

import ssl
from datetime import UTC, datetime
from typing import Final

from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from perennial_billing.starter.checks.addresses import NotReached, Reached

SECONDS: Final = 10.0
ANSWER_BYTES: Final = 64 * 1024
"""More than the head of an answer, of which nothing else is read."""


async def reached(method: str, url: str, *, public_only: bool, seconds: float = SECONDS) -> Reached | NotReached:
    """What an address answers to a request without a body, of a method that changes nothing.

    Args:
        method: HEAD or GET.
        url: the address.
        public_only: whether it may not be in a network of one's own.
        seconds: until it counts as no answer.
    """
    bounds = Bounds(seconds=seconds, answer_bytes=ANSWER_BYTES)
    async with bounded_client(at_once=1, bounds=bounds, public_only=public_only) as http:
        try:
            async with http.stream(method, url) as answer:
                return Reached(
                    status=answer.status_code,
                    allows=answer.headers.get("allow", ""),
                    expires=_expires(answer),
                )
        except httpx.TimeoutException:
            return NotReached(f"no answer within {seconds:g} s")
        except httpx.HTTPError as error:
            return NotReached(f"no answer ({type(error).__name__}: {error})")
        except (httpx.InvalidURL, ValueError) as error:
            return NotReached(f"it is no address ({error})")


def _expires(answer: httpx.Response) -> datetime | None:
    stream = answer.extensions.get("network_stream")
    secure = stream.get_extra_info("ssl_object") if stream is not None else None
    shown = secure.getpeercert() if isinstance(secure, ssl.SSLObject | ssl.SSLSocket) else None
    if not shown or "notAfter" not in shown:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
