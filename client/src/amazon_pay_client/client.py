"""The client: `AmazonPayClient`."""

import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client.button import SignedPayload, sign_payload
from amazon_pay_client.headers import checked_headers
from amazon_pay_client.models import RequestModel
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.regions import Environment, Region, endpoint_for
from amazon_pay_client.resources.authorization_tokens import AuthorizationTokens
from amazon_pay_client.resources.buyers import Buyers
from amazon_pay_client.resources.charge_permissions import ChargePermissions
from amazon_pay_client.resources.charges import Charges
from amazon_pay_client.resources.checkout_sessions import CheckoutSessions
from amazon_pay_client.resources.delivery_trackers import DeliveryTrackers
from amazon_pay_client.resources.disbursements import Disbursements
from amazon_pay_client.resources.disputes import Disputes
from amazon_pay_client.resources.files import Files
from amazon_pay_client.resources.in_store import InStore
from amazon_pay_client.resources.merchant_accounts import MerchantAccounts
from amazon_pay_client.resources.refunds import Refunds
from amazon_pay_client.resources.report_documents import ReportDocuments
from amazon_pay_client.resources.report_schedules import ReportSchedules
from amazon_pay_client.resources.reports import Reports
from amazon_pay_client.resources.stores import Stores
from amazon_pay_client.retry import Retry
from amazon_pay_client.signing import Algorithm, SignatureAuth
from amazon_pay_client.time_limits import DEFAULT_TIME_LIMITS, TimeLimits
from amazon_pay_client.transport import LARGEST_ANSWER_BYTES, Transport

MOST_AT_ONCE: Final = 500
"""Calls that one client has under way. While Amazon keeps silent, its published limits (amazon_pay/limits.py) let about
so many begin before the first of them reaches its own time limit: 4 a second, four operations, 25 to 40 s."""


class AmazonPayClient:
    """An async client for Amazon Pay API v2: every operation of the official SDKs, over one pool of connections.

    Unless `retry` is given, it sends each request once: repeating one safely is the caller's decision, with the
    caller's idempotency key. It speaks HTTP/1.1, a connection a call, and keeps connections for the next ones.

    Args:
        public_key_id: the id that Seller Central shows for the key pair.
        private_key: from `load_private_key`.
        region: the seller account's region.
        environment: only for key ids without a LIVE or SANDBOX prefix.
        algorithm: V2 is what Amazon recommends.
        origin: scheme and host of a simulator instead of Amazon's.
        time_limits: how long one sending may take, by the kind of operation.
        retry: lets the client send a request again; None sends each once.
        verify: whom to trust as Amazon, where it is not the usual certificate authorities: a proxy of one's own.

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
        time_limits: TimeLimits = DEFAULT_TIME_LIMITS,
        retry: Retry | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoint = endpoint_for(public_key_id, region, environment, origin)
        self._public_key_id = public_key_id
        self._private_key = private_key
        self._algorithm = algorithm
        self._auth = SignatureAuth(public_key_id, private_key, region, algorithm)
        self._http = bounded_client(
            at_once=MOST_AT_ONCE,
            bounds=Bounds(seconds=time_limits.payment_seconds, answer_bytes=LARGEST_ANSWER_BYTES),
            headers={"accept": "application/json"},
            verify=verify,
        )
        transport = Transport(self._http, self._auth, self._endpoint, time_limits, retry)
        self.authorization_tokens: Final = AuthorizationTokens(transport)
        self.buyers: Final = Buyers(transport)
        self.charge_permissions: Final = ChargePermissions(transport)
        self.charges: Final = Charges(transport)
        self.checkout_sessions: Final = CheckoutSessions(transport)
        self.delivery_trackers: Final = DeliveryTrackers(transport)
        self.disbursements: Final = Disbursements(transport)
        self.disputes: Final = Disputes(transport)
        self.files: Final = Files(transport)
        self.in_store: Final = InStore(transport)
        self.merchant_accounts: Final = MerchantAccounts(transport)
        self.refunds: Final = Refunds(transport)
        self.report_documents: Final = ReportDocuments(transport)
        self.report_schedules: Final = ReportSchedules(transport)
        self.reports: Final = Reports(transport)
        self.stores: Final = Stores(transport)

    def button_signature(self, payload: RequestModel | str) -> SignedPayload:
        """Signs the payload of a checkout or sign-in button; nothing is sent.

        Args:
            payload: a `CreateCheckoutSessionRequest`, a `SignInRequest`, or the exact JSON text of one.

        Raises:
            ValueError: the text is not a JSON object.
        """
        return sign_payload(
            payload, public_key_id=self._public_key_id, private_key=self._private_key, algorithm=self._algorithm
        )

    def signed_headers(
        self,
        method: str,
        url_or_path: str,
        *,
        body: RequestModel | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """The headers of a request that the caller sends with an HTTP client of its own; nothing is sent here.

        The signature counts from now on and holds for exactly this method, address and body.

        Args:
            method: such as "POST".
            url_or_path: an absolute address with its query, or a path below the API's version such as `charges`.
            body: the exact bytes, or a model whose bytes are those of `to_json`.
            headers: extra headers; `x-amz-pay-` headers are signed.

        Returns:
            Everything that must be sent: the extra headers, accept, content-type, the `x-amz-pay-` headers and
            authorization; names in lower case.

        Raises:
            ValueError: a header cannot be sent, or the address is none.
        """
        is_url = url_or_path.startswith(("https://", "http://"))
        address = url_or_path if is_url else self._endpoint.url(url_or_path.lstrip("/"))
        try:
            request = httpx.Request(
                method.upper(),
                address,
                headers=checked_headers(headers),
                content=body if isinstance(body, bytes) else body.to_json(),
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ValueError(f"url_or_path: it is not an address ({type(error).__name__})") from None
        next(self._auth.auth_flow(request))
        return {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}

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
