"""The headers that a caller adds to a request, checked before anything is sent.

A header value can be a secret, such as an authorization token: an error names the header and never its value.
"""

import re
from collections.abc import Mapping
from typing import Final

from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.signing import DATE_HEADER, HOST_HEADER, IDEMPOTENCY_HEADER, REGION_HEADER

_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, section 5.6.2)."""
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
"""Visible ASCII, with blanks only inside (RFC 9110, section 5.5); the signature counts blanks differently."""
_MADE_HERE: Final = frozenset(
    {
        "authorization",
        DATE_HEADER,
        HOST_HEADER,
        REGION_HEADER,
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
    }
)


def checked_headers(headers: Mapping[str, str] | None, idempotency_key: str | None = None) -> httpx.Headers:
    """The caller's headers together with the idempotency key.

    Args:
        headers: extra headers; also the idempotency key may stand here under its own name.
        idempotency_key: 1 to 32 characters of `A-Z a-z 0-9 _ -`.

    Raises:
        ValueError: a header cannot be sent, is one that the client makes, or the key is not one or is given twice.
    """
    given = dict(headers or {})
    for name, value in given.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"headers: {name!r} is not the name of a header")
        if name.lower() in _MADE_HERE:
            raise ValueError(f"headers: {name} is made by the client and cannot be given")
        if not _VALUE.fullmatch(value):
            raise ValueError(
                f"headers: the value of {name} cannot be sent; ASCII without line breaks and without blanks "
                "at its ends is accepted, and at least one character"
            )
    checked = httpx.Headers(given)
    if len(set(checked.keys())) < len(given):
        raise ValueError("headers: a header is given twice, in different cases")
    if idempotency_key is not None:
        if IDEMPOTENCY_HEADER in checked:
            raise ValueError("idempotency key: it is given twice, by itself and among the headers")
        checked[IDEMPOTENCY_HEADER] = _checked_key(idempotency_key)
    elif IDEMPOTENCY_HEADER in checked:
        _checked_key(checked[IDEMPOTENCY_HEADER])
    return checked


def _checked_key(key: str) -> str:
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ValueError(
            f"idempotency key: {key!r} is not one; 1 to 32 characters of A-Z, a-z, 0-9, '_' and '-' are accepted"
        )
    return key
