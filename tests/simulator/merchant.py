"""A merchant's small SDK, written from Amazon's signing rule: it may not know our own signing code.

A mistake that the client and the simulator share would stay unseen if both signed and checked by the same function.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KEY_ID: Final = "SANDBOX-MERCHANT"
V1: Final = "AMZN-PAY-RSASSA-PSS"
V2: Final = "AMZN-PAY-RSASSA-PSS-V2"
SALT_BYTES: Final = {V1: 20, V2: 32}

COMPACT_DATE: Final = "%Y%m%dT%H%M%SZ"
"""As the PHP, Java and .NET SDKs write it."""
DASHED_DATE: Final = "%Y-%m-%dT%H:%M:%SZ"
"""As the Node SDK writes it."""

COMMONLY_SIGNED: Final = ("accept", "content-type", "x-amz-pay-date", "x-amz-pay-host", "x-amz-pay-region")
"""The PHP SDK's list; it adds the idempotency key where there is one."""
KEY_HEADER: Final = "x-amz-pay-idempotency-key"

Answer = tuple[int, dict[str, Any]]
"""Status and JSON. Any: what a test is about to find out."""


@dataclass(frozen=True)
class Wanted:
    """A request, and everything that may be wrong about its signature.

    Attributes:
        headers: beside those that every request carries.
        signed: names of the signed headers; the PHP SDK's list when not given.
        sent_body: what is sent instead of the body that was signed.
        authorization: sent instead of the right header; empty for none.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    signed: Sequence[str] | None = None
    algorithm: str = V2
    salt_bytes: int | None = None
    key_id: str = KEY_ID
    date: str | None = None
    sent_path: str | None = None
    sent_body: bytes | None = None
    sent_headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = None


class Merchant:
    """Signs and sends; one per simulator."""

    def __init__(self, http: httpx.AsyncClient, private_key: RSAPrivateKey) -> None:
        self._http = http
        self.private_key = private_key

    async def send(self, wanted: Wanted) -> httpx.Response:
        """The answer to one request."""
        headers = headers_of(wanted)
        authorization = self.authorization(wanted) if wanted.authorization is None else wanted.authorization
        if authorization:
            headers["authorization"] = authorization
        query = f"?{wanted.query}" if wanted.query else ""
        return await self._http.request(
            wanted.method,
            f"{wanted.sent_path or wanted.path}{query}",
            content=wanted.body if wanted.sent_body is None else wanted.sent_body,
            headers=headers | dict(wanted.sent_headers),
        )

    def authorization(self, wanted: Wanted) -> str:
        """The header's value, by the documentation's rule; the path and the query must be canonical already."""
        headers, signed = headers_of(wanted), wanted.signed
        if signed is None:
            signed = [*COMMONLY_SIGNED, *([KEY_HEADER] if KEY_HEADER in headers else [])]
        names = ";".join(sorted(signed))
        lines = [wanted.method, wanted.path, "&".join(sorted(wanted.query.split("&")))]
        lines += [f"{name}:{headers.get(name, '')}" for name in sorted(signed)]
        lines += ["", names, hashlib.sha256(wanted.body).hexdigest()]
        hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        signature = self.private_key.sign(
            f"{wanted.algorithm}\n{hashed}".encode(),
            padding.PSS(
                mgf=padding.MGF1(hashes.SHA256()), salt_length=wanted.salt_bytes or SALT_BYTES[wanted.algorithm]
            ),
            hashes.SHA256(),
        )
        return (
            f"{wanted.algorithm} PublicKeyId={wanted.key_id}, SignedHeaders={names}, "
            f"Signature={base64.b64encode(signature).decode()}"
        )

    # The four operations, as an SDK offers them

    async def create_charge(
        self,
        body: Mapping[str, Any] | bytes,
        key: str | None,
        at: datetime | None = None,
        *,
        simulate: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST /charges; `at` is the caller's virtual time, `simulate` a code of the sandbox."""
        more = dict(headers or {})
        if key is not None:
            more[KEY_HEADER] = key
        if at is not None:
            more["x-simulator-time"] = at.strftime(COMPACT_DATE)
        if simulate is not None:
            more["x-amz-pay-simulation-code"] = simulate
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return _read(await self.send(Wanted("POST", "/v2/charges", content, more)))

    async def charge(self, charge_id: str) -> Answer:
        """GET /charges/{chargeId}."""
        return _read(await self.send(Wanted("GET", f"/v2/charges/{charge_id}")))

    async def permission(self, charge_permission_id: str, at: datetime | None = None) -> Answer:
        """GET /chargePermissions/{chargePermissionId}."""
        headers = {"x-simulator-time": at.strftime(COMPACT_DATE)} if at else {}
        return _read(await self.send(Wanted("GET", f"/v2/chargePermissions/{charge_permission_id}", headers=headers)))

    async def close(self, charge_permission_id: str, body: Mapping[str, Any] | bytes) -> Answer:
        """DELETE /chargePermissions/{chargePermissionId}/close, which carries a body."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return _read(await self.send(Wanted("DELETE", f"/v2/chargePermissions/{charge_permission_id}/close", content)))


def headers_of(wanted: Wanted) -> dict[str, str]:
    """The headers of a request, but for its authorization."""
    return {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "merchant/1",
        "x-amz-pay-date": wanted.date or datetime.now(UTC).strftime(COMPACT_DATE),
        "x-amz-pay-host": "pay-api.amazon.com",
        "x-amz-pay-region": "na",
        **wanted.headers,
    }


def new_key() -> str:
    """An idempotency key that no test has used."""
    return uuid.uuid4().hex


def charge_of(
    charge_permission_id: str, amount: object = "9.99", currency: str = "USD", **fields: Any
) -> dict[str, Any]:
    """The body of an ordinary Create Charge; fields by their names on the wire. Any: also wrong values."""
    return {
        "chargePermissionId": charge_permission_id,
        "chargeAmount": {"amount": amount, "currencyCode": currency},
        "captureNow": True,
    } | fields


def _read(answer: httpx.Response) -> Answer:
    return answer.status_code, answer.json()
