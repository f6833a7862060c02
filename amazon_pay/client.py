"""The client: `AmazonPayClient`."""

from types import TracebackType
from typing import Final, Self

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay.regions import Environment, Region, endpoint_for
from amazon_pay.resources.charge_permissions import ChargePermissions
from amazon_pay.resources.charges import Charges
from amazon_pay.signing import Algorithm, SignatureAuth
from amazon_pay.transport import Transport

DEFAULT_TIMEOUT: Final = httpx.Timeout(40.0, connect=5.0)
"""Seconds. Create Charge without pending authorization may take 15 s, and 30 s in Japan."""


class AmazonPayClient:
    """An async client for Amazon Pay API v2.

    It sends each request once: repeating one safely is the caller's decision, with the caller's idempotency key.

    Args:
        public_key_id: the id that Seller Central shows for the key pair.
        private_key: from `load_private_key`.
        region: the seller account's region.
        environment: only for key ids without a LIVE or SANDBOX prefix.
        algorithm: V2 is what Amazon recommends.
        origin: scheme and host of a simulator instead of Amazon's.
        timeout: limits in seconds for each request.
        http_transport: for tests.

    Raises:
        ValueError: the environment is missing or contradicts the key id.
    """

    def __init__(
        self,
        *,
        public_key_id: str,
        private_key: RSAPrivateKey,
        region: Region,
        environment: Environment | None = None,
        algorithm: Algorithm = Algorithm.V2,
        origin: str | None = None,
        timeout: httpx.Timeout = DEFAULT_TIMEOUT,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        endpoint = endpoint_for(public_key_id, region, environment, origin)
        self._http = httpx.AsyncClient(
            headers={"accept": "application/json"}, timeout=timeout, transport=http_transport, follow_redirects=False
        )
        transport = Transport(self._http, SignatureAuth(public_key_id, private_key, region, algorithm), endpoint)
        self.charges: Final = Charges(transport)
        self.charge_permissions: Final = ChargePermissions(transport)

    async def aclose(self) -> None:
        """Closes the connection pool."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
