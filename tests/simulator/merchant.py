"""A merchant's small SDK, written from Amazon's signing rule: it may not know our own signing code.

A mistake that the client and the simulator share would stay unseen if both signed and checked by the same function.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_simulator import SimulatorHandle

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
        date: when it is signed; now, which is the same second for the header and the signature.
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
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime(COMPACT_DATE))
    sent_path: str | None = None
    sent_body: bytes | None = None
    sent_headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = None


class Merchant:
    """Signs and sends; one per simulator."""

    def __init__(self, http: httpx.AsyncClient, private_key: RSAPrivateKey, key_id: str = KEY_ID) -> None:
        self._http = http
        self._key_id = key_id
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

    # The operations, as an SDK offers them; `at` is the caller's virtual time, `simulate` a code of the sandbox

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes = b"",
        key: str | None = None,
        at: datetime | None = None,
        *,
        simulate: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One operation; the path is that below the version."""
        more = dict(headers or {})
        if key is not None:
            more[KEY_HEADER] = key
        if at is not None:
            more["x-simulator-time"] = at.strftime(COMPACT_DATE)
        if simulate is not None:
            more["x-amz-pay-simulation-code"] = simulate
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.send(Wanted(method, f"/v2{path}", content, more, key_id=self._key_id))
        return answer.status_code, answer.json()

    async def create_charge(
        self,
        body: Mapping[str, Any] | bytes,
        key: str | None,
        at: datetime | None = None,
        *,
        simulate: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST /charges."""
        return await self.call("POST", "/charges", body, key, at, simulate=simulate, headers=headers)

    async def charge(self, charge_id: str, at: datetime | None = None) -> Answer:
        """GET /charges/{chargeId}."""
        return await self.call("GET", f"/charges/{charge_id}", at=at)

    async def capture(
        self,
        charge_id: str,
        price: Mapping[str, Any],
        key: str | None,
        at: datetime | None = None,
        *,
        simulate: str | None = None,
        **fields: Any,  # Any: also wrong values
    ) -> Answer:
        """POST /charges/{chargeId}/capture."""
        body = {"captureAmount": price} | fields
        return await self.call("POST", f"/charges/{charge_id}/capture", body, key, at, simulate=simulate)

    async def cancel(self, charge_id: str, at: datetime | None = None, *, simulate: str | None = None) -> Answer:
        """DELETE /charges/{chargeId}/cancel, which carries a body."""
        body = {"cancellationReason": "not needed"}
        return await self.call("DELETE", f"/charges/{charge_id}/cancel", body, at=at, simulate=simulate)

    async def update_charge(self, charge_id: str, state: str, reason_code: str | None = None) -> Answer:
        """PATCH /charges/{chargeId}, for payment service providers."""
        details = {"state": state, "reasonCode": reason_code}
        return await self.call("PATCH", f"/charges/{charge_id}", {"statusDetails": details})

    async def refund(
        self,
        charge_id: str,
        price: Mapping[str, Any],
        key: str | None,
        at: datetime | None = None,
        *,
        simulate: str | None = None,
    ) -> Answer:
        """POST /refunds."""
        body = {"chargeId": charge_id, "refundAmount": price}
        return await self.call("POST", "/refunds", body, key, at, simulate=simulate)

    async def read_refund(self, refund_id: str, at: datetime | None = None) -> Answer:
        """GET /refunds/{refundId}."""
        return await self.call("GET", f"/refunds/{refund_id}", at=at)

    async def permission(self, charge_permission_id: str, at: datetime | None = None) -> Answer:
        """GET /chargePermissions/{chargePermissionId}."""
        return await self.call("GET", f"/chargePermissions/{charge_permission_id}", at=at)

    async def update_permission(
        self, charge_permission_id: str, body: Mapping[str, Any], at: datetime | None = None
    ) -> Answer:
        """PATCH /chargePermissions/{chargePermissionId}."""
        return await self.call("PATCH", f"/chargePermissions/{charge_permission_id}", body, at=at)

    async def close(
        self,
        charge_permission_id: str,
        body: Mapping[str, Any] | bytes,
        at: datetime | None = None,
        *,
        simulate: str | None = None,
    ) -> Answer:
        """DELETE /chargePermissions/{chargePermissionId}/close, which carries a body."""
        return await self.call(
            "DELETE", f"/chargePermissions/{charge_permission_id}/close", body, at=at, simulate=simulate
        )

    async def create_session(self, body: Mapping[str, Any], key: str | None, at: datetime | None = None) -> Answer:
        """POST /checkoutSessions."""
        return await self.call("POST", "/checkoutSessions", body, key, at)

    async def session(self, session_id: str, at: datetime | None = None) -> Answer:
        """GET /checkoutSessions/{checkoutSessionId}."""
        return await self.call("GET", f"/checkoutSessions/{session_id}", at=at)

    async def update_session(self, session_id: str, body: Mapping[str, Any], at: datetime | None = None) -> Answer:
        """PATCH /checkoutSessions/{checkoutSessionId}."""
        return await self.call("PATCH", f"/checkoutSessions/{session_id}", body, at=at)

    async def complete_session(
        self, session_id: str, price: Mapping[str, Any], at: datetime | None = None, *, simulate: str | None = None
    ) -> Answer:
        """POST /checkoutSessions/{checkoutSessionId}/complete."""
        body = {"chargeAmount": price}
        return await self.call("POST", f"/checkoutSessions/{session_id}/complete", body, at=at, simulate=simulate)

    async def press(self, **button: str) -> httpx.Response:
        """What the browser posts when the buyer presses the button on the merchant's page."""
        return await self._http.post("/checkout", data=button)

    def sign_payload(self, payload: str, algorithm: str = V2) -> str:
        """The signature of a button's payload, by the documentation's rule."""
        text = f"{algorithm}\n{hashlib.sha256(payload.encode()).hexdigest()}".encode()
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=SALT_BYTES[algorithm])
        return base64.b64encode(self.private_key.sign(text, pss, hashes.SHA256())).decode()

    async def finalize_session(self, session_id: str, body: Mapping[str, Any]) -> Answer:
        """POST /checkoutSessions/{checkoutSessionId}/finalize."""
        return await self.call("POST", f"/checkoutSessions/{session_id}/finalize", body)


@asynccontextmanager
async def merchant_of(
    simulator: SimulatorHandle, private_key: RSAPrivateKey, key_id: str = KEY_ID
) -> AsyncIterator[Merchant]:
    """The merchant of a simulator of a test's own."""
    # No TLS here, and reading the system's certificates for each test would be the slowest part of it.
    async with httpx.AsyncClient(base_url=simulator.origin, verify=False) as http:
        yield Merchant(http, private_key, key_id)


def headers_of(wanted: Wanted) -> dict[str, str]:
    """The headers of a request, but for its authorization."""
    return {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "merchant/1",
        "x-amz-pay-date": wanted.date,
        "x-amz-pay-host": "pay-api.amazon.com",
        "x-amz-pay-region": "na",
        **wanted.headers,
    }


def new_key() -> str:
    """An idempotency key that no test has used."""
    return uuid.uuid4().hex


def price(amount: object, currency: str = "USD") -> dict[str, Any]:
    """An amount as it stands on the wire. Any: also wrong values."""
    return {"amount": amount, "currencyCode": currency}


def charge_of(
    charge_permission_id: str, amount: object = "9.99", currency: str = "USD", **fields: Any
) -> dict[str, Any]:
    """The body of an ordinary Create Charge; fields by their names on the wire. Any: also wrong values."""
    return {
        "chargePermissionId": charge_permission_id,
        "chargeAmount": price(amount, currency),
        "captureNow": True,
    } | fields
