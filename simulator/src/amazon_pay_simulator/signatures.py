"""Checks a request's signature as Amazon Pay does: over whatever headers the client declared to have signed.

The official SDKs differ in which headers they sign and how they write the date, so neither is fixed here.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay_client.signing import DATE_HEADER, Algorithm, canonical_request, verify
from amazon_pay_simulator.refusals import Refusal

_BASIC: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_DATE_FORMATS: Final = ("%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ")
_AUTHORIZATION: Final = re.compile(
    r"(?P<algorithm>AMZN-PAY-RSASSA-PSS(?:-V2)?) "
    r"PublicKeyId=(?P<key_id>[^,\s]+), ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>\S+)"
)
_ALGORITHMS: Final = {algorithm.wire_name: algorithm for algorithm in Algorithm}


def check_signature(
    public_keys: Mapping[str, RSAPublicKey],
    method: str,
    raw_path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    clock_skew: timedelta,
) -> str:
    """Accepts a request, and gives the id of the key that it was signed with; or refuses it.

    Args:
        public_keys: by public key id.
        method: upper case.
        raw_path: as sent.
        query: as sent, without the question mark.
        headers: by lower-case name.
        body: the exact bytes.
        clock_skew: how far the request's date may be from the present, by the wall clock.

    Raises:
        Refusal: InvalidAuthentication or InvalidRequestSignature.
    """
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if match is None:
        raise Refusal("InvalidAuthentication", "The authorization header is missing or malformed")
    public_key = public_keys.get(match["key_id"])
    if public_key is None:
        raise Refusal("InvalidAuthentication", f"The public key id {match['key_id']} is not known")
    signed = match["headers"].split(";")
    needed = {"accept", DATE_HEADER, *(("content-type",) if body else ())}
    missing = needed.difference(signed) | {name for name in signed if name not in headers}
    if missing:
        raise Refusal("InvalidRequestSignature", f"Not signed: {', '.join(sorted(missing))}")
    if abs(datetime.now(UTC) - _date(headers[DATE_HEADER])) > clock_skew:
        raise Refusal("InvalidRequestSignature", "The request's date is too far from the present")
    algorithm = _ALGORITHMS[match["algorithm"]]
    canonical = canonical_request(method, raw_path, parse_qsl(query, keep_blank_values=True), headers, signed, body)
    if not verify(public_key, algorithm, canonical, match["signature"]):
        raise Refusal("InvalidRequestSignature", f"Unable to verify signature, algorithm {algorithm.wire_name}")
    return match["key_id"]


def _date(text: str) -> datetime:
    if _BASIC.fullmatch(text):  # as nearly everybody writes it; `strptime` is a tenth of what a charge costs
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    for date_format in _DATE_FORMATS:
        try:
            return datetime.strptime(text, date_format).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Refusal("InvalidRequestSignature", f"{DATE_HEADER} is not a date")
