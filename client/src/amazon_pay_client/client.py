"""The clients: `AmazonPayClient`, which is awaited, and `SyncAmazonPayClient`, which blocks. They do the same."""

import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client.answers import JsonAnswer
from amazon_pay_client.button import SignedPayload, sign_payload
from amazon_pay_client.calls import LARGEST_ANSWER_BYTES, Preparation, any_call, json_of
from amazon_pay_client.headers import checked_headers
from amazon_pay_client.identity import Integrator, user_agent
from amazon_pay_client.keys import load_private_key
from amazon_pay_client.models import RequestModel
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_blocking_client, bounded_client
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
from amazon_pay_client.resources.sync.authorization_tokens import SyncAuthorizationTokens
from amazon_pay_client.resources.sync.buyers import SyncBuyers
from amazon_pay_client.resources.sync.charge_permissions import SyncChargePermissions
from amazon_pay_client.resources.sync.charges import SyncCharges
from amazon_pay_client.resources.sync.checkout_sessions import SyncCheckoutSessions
from amazon_pay_client.resources.sync.delivery_trackers import SyncDeliveryTrackers
from amazon_pay_client.resources.sync.disbursements import SyncDisbursements
from amazon_pay_client.resources.sync.disputes import SyncDisputes
from amazon_pay_client.resources.sync.files import SyncFiles
from amazon_pay_client.resources.sync.in_store import SyncInStore
from amazon_pay_client.resources.sync.merchant_accounts import SyncMerchantAccounts
from amazon_pay_client.resources.sync.refunds import SyncRefunds
from amazon_pay_client.resources.sync.report_documents import SyncReportDocuments
from amazon_pay_client.resources.sync.report_schedules import SyncReportSchedules
from amazon_pay_client.resources.sync.reports import SyncReports
from amazon_pay_client.resources.sync.stores import SyncStores
from amazon_pay_client.retry import Retry
from amazon_pay_client.signing import IDEMPOTENCY_HEADER, Algorithm, SignatureAuth
from amazon_pay_client.time_limits import DEFAULT_TIME_LIMITS, TimeLimits
from amazon_pay_client.transport import SyncTransport, Transport

MOST_AT_ONCE: Final = 500
"""Calls that one client has under way. While Amazon keeps silent, its published limits (limits.py) let about
so many begin before the first of them reaches its own time limit: 4 a second, four operations, 25 to 40 s."""
KEPT_CONNECTIONS: Final = 20
"""Connections that one client keeps for its next calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """How one client sends: what `outbound` is told."""

    at_once: int
    most_unused: int
    bounds: Bounds
    verify: ssl.SSLContext | None
    proxy: str | None


class _Client(ABC):
    """What both clients are: an account's key and region, and how to send."""

    def __init__(
        self,
        *,
        public_key_id: str,
        private_key: RSAPrivateKey | str | bytes | Path,
        region: Region | str,
        environment: Environment | str | None = None,
        algorithm: Algorithm = Algorithm.V2,
        origin: str | None = None,
        time_limits: TimeLimits = DEFAULT_TIME_LIMITS,
        retry: Retry | None = None,
        verify: ssl.SSLContext | None = None,
        proxy: str | None = None,
        at_once: int = MOST_AT_ONCE,
        kept_connections: int = KEPT_CONNECTIONS,
        headers: Mapping[str, str] | None = None,
        application: str | None = None,
        integrator: Integrator | None = None,
    ) -> None:
        """Makes a client; nothing is sent.

        Args:
            public_key_id: the id that Seller Central shows for the key pair.
            private_key: PEM text or bytes, the path of a PEM file, or what `load_private_key` made, which also takes
                a passphrase.
            region: the seller account's region, or a name of it: na or us, eu, de or uk, jp.
            environment: only for key ids without a LIVE or SANDBOX prefix.
            algorithm: V2 is what Amazon recommends.
            origin: scheme and host of a simulator instead of Amazon's.
            time_limits: how long one sending may take, by the kind of operation.
            retry: lets the client send a request again; None sends each once.
            verify: whom to trust as Amazon, where it is not the usual certificate authorities: a proxy of one's own.
            proxy: the address of a proxy, where it is not what HTTPS_PROXY, ALL_PROXY and NO_PROXY say.
            at_once: calls under way at a time, over all threads and event loops; further ones wait for their turn.
            kept_connections: connections kept open for the next calls.
            headers: of every request; those of a call come before them.
            application: the application's name and version, such as "MyShop/2.1", for the user agent.
            integrator: the ids that Amazon gave to whoever built the integration.

        Raises:
            PrivateKeyError: the private key cannot be used.
            ValueError: an option is wrong; the message names it and says what is accepted.
        """
        for name, number, least in (("at_once", at_once, 1), ("kept_connections", kept_connections, 0)):
            if number < least:
                raise ValueError(f"{name}: {number} is too few; {least} or more is accepted")
        self._algorithm = algorithm
        self._origin = origin
        self._time_limits = time_limits
        self._application = application
        self._headers = _headers_of_all(headers, integrator)
        preparation = self._be(public_key_id, private_key, region, environment)
        self._connect(
            preparation,
            _Sending(
                at_once=at_once,
                most_unused=kept_connections,
                bounds=Bounds(seconds=time_limits.payment_seconds, answer_bytes=LARGEST_ANSWER_BYTES),
                verify=verify,
                proxy=proxy,
            ),
            retry,
        )

    def for_account(
        self,
        *,
        public_key_id: str,
        private_key: RSAPrivateKey | str | bytes | Path,
        region: Region | str,
        environment: Environment | str | None = None,
    ) -> Self:
        """A client of another merchant account, which sends as this one does: by the same options, over the same
        connections, and with the same bound of calls under way. Nothing is sent.

        For whoever calls Amazon for many accounts: a client of its own costs each of them what it trusts and its
        connections. Closing one of them closes the connections of all.

        Args:
            public_key_id: as for a new client.
            private_key: as for a new client.
            region: as for a new client.
            environment: as for a new client.

        Raises:
            PrivateKeyError: the private key cannot be used.
            ValueError: an option is wrong; the message names it and says what is accepted.
        """
        other = copy(self)
        preparation = other._be(public_key_id, private_key, region, environment)  # noqa: SLF001 - it is one of its own
        other._reconnect(preparation)  # noqa: SLF001 - as above
        return other

    def _be(
        self,
        public_key_id: str,
        private_key: RSAPrivateKey | str | bytes | Path,
        region: Region | str,
        environment: Environment | str | None,
    ) -> Preparation:
        """Takes an account's key, and says how its calls are prepared."""
        for option, text in (("public_key_id", public_key_id), ("region", region)):
            if not isinstance(text, str):
                raise ValueError(f"{option}: a {type(text).__name__} was given; is its setting there? A text is needed")
        region = region if isinstance(region, Region) else Region.parse(region)
        if environment is not None and not isinstance(environment, Environment):
            environment = Environment.parse(environment)
        self._endpoint = endpoint_for(public_key_id, region, environment, self._origin)
        self._public_key_id = public_key_id
        self._private_key = private_key if isinstance(private_key, RSAPrivateKey) else load_private_key(private_key)
        self._auth = SignatureAuth(public_key_id, self._private_key, region, self._algorithm)
        headers = {**_headers_of_sending(self._application), **self._headers}
        return Preparation(self._auth, self._endpoint, self._time_limits, headers)

    @abstractmethod
    def _connect(self, preparation: Preparation, sending: _Sending, retry: Retry | None) -> None:
        """Makes the operations, over a way to send."""

    @abstractmethod
    def _reconnect(self, preparation: Preparation) -> None:
        """Makes them anew, over the way to send that is there."""

    def button_signature(self, payload: RequestModel | Mapping[str, Any] | str) -> SignedPayload:
        """Signs the payload of a checkout or sign-in button; nothing is sent.

        Args:
            payload: a `CreateCheckoutSessionRequest`, a `SignInRequest`, or a dict or the exact JSON text of one.

        Raises:
            ValueError: the text is not a JSON object, or the dict cannot be written as one.
        """
        written = json_of(payload, "payload").decode() if isinstance(payload, Mapping) else payload
        return sign_payload(
            written, public_key_id=self._public_key_id, private_key=self._private_key, algorithm=self._algorithm
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
            ValueError: a header cannot be sent, the address is none, or the body is neither bytes nor a model.
        """
        is_url = url_or_path.startswith(("https://", "http://"))
        address = url_or_path if is_url else self._endpoint.url(url_or_path.lstrip("/"))
        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ValueError(f"url_or_path: it is not an address ({type(error).__name__})") from None
        if not isinstance(body, (bytes, RequestModel)):
            raise ValueError(
                f"body: a {type(body).__name__} was given; the bytes that are sent are signed: give them, or a model"
            )
        content = body if isinstance(body, bytes) else body.to_json()
        given = {**self._headers, **checked_headers(headers)}
        return self._auth.headers_for(method.upper(), url, given, content)


class AmazonPayClient(_Client):
    """A client for Amazon Pay API v2 that is awaited: every operation of the official SDKs.

    Unless `retry` is given, it sends each request once: repeating one safely is the caller's decision, with the
    caller's idempotency key. It speaks HTTP/1.1, a connection a call, and keeps connections for the next ones.

    One client serves any number of event loops, one after another (`asyncio.run`, `async_to_sync`) or in several
    threads at once: each loop has connections of its own, which end with it. A forked process may go on using it.

    The options are those of `__init__`.
    """

    authorization_tokens: AuthorizationTokens
    buyers: Buyers
    charge_permissions: ChargePermissions
    charges: Charges
    checkout_sessions: CheckoutSessions
    delivery_trackers: DeliveryTrackers
    disbursements: Disbursements
    disputes: Disputes
    files: Files
    in_store: InStore
    merchant_accounts: MerchantAccounts
    refunds: Refunds
    report_documents: ReportDocuments
    report_schedules: ReportSchedules
    reports: Reports
    stores: Stores

    def _connect(self, preparation: Preparation, sending: _Sending, retry: Retry | None) -> None:
        http = bounded_client(
            at_once=sending.at_once,
            bounds=sending.bounds,
            verify=sending.verify,
            proxy=sending.proxy,
            most_unused=sending.most_unused,
        )
        self._offer(Transport(http, preparation, retry))

    def _reconnect(self, preparation: Preparation) -> None:
        self._offer(self._transport.prepared_by(preparation))

    def _offer(self, transport: Transport) -> None:
        self._transport = transport
        self.authorization_tokens = AuthorizationTokens(transport)
        self.buyers = Buyers(transport)
        self.charge_permissions = ChargePermissions(transport)
        self.charges = Charges(transport)
        self.checkout_sessions = CheckoutSessions(transport)
        self.delivery_trackers = DeliveryTrackers(transport)
        self.disbursements = Disbursements(transport)
        self.disputes = Disputes(transport)
        self.files = Files(transport)
        self.in_store = InStore(transport)
        self.merchant_accounts = MerchantAccounts(transport)
        self.refunds = Refunds(transport)
        self.report_documents = ReportDocuments(transport)
        self.report_schedules = ReportSchedules(transport)
        self.reports = Reports(transport)
        self.stores = Stores(transport)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: RequestModel | Mapping[str, Any] | bytes | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonAnswer:
        """Sends what no method of this client knows: signed, with the same time limits, errors and repetition.

        Args:
            method: such as "POST", in any case.
            path: below the API's version, such as `charges/S01-1-2-C3`; ids percent-encoded.
            query: names and values, not encoded.
            body: a dict (a `Decimal` is written as a string), a model, or the exact bytes.
            idempotency_key: as for a charge; with one, `Retry` repeats a POST also after a lost answer.
            headers: extra headers; `x-amz-pay-` headers are signed.

        Raises:
            ValueError: it cannot be sent; nothing was.
            ApiError: an error answer.
            TransportError: no answer, or one that is not JSON.
        """
        return await self._transport.send(
            any_call(method, path, query=query or {}, body=body, idempotency_key=idempotency_key, headers=headers)
        )

    async def aclose(self) -> None:
        """Closes the connections. A call afterwards raises `ClientUnusableError`."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class SyncAmazonPayClient(_Client):
    """The same client for code that is not asynchronous: each call blocks its thread until the answer is there.

    One client serves any number of threads at once. A forked process may go on using it.

    The options are those of `__init__`.
    """

    authorization_tokens: SyncAuthorizationTokens
    buyers: SyncBuyers
    charge_permissions: SyncChargePermissions
    charges: SyncCharges
    checkout_sessions: SyncCheckoutSessions
    delivery_trackers: SyncDeliveryTrackers
    disbursements: SyncDisbursements
    disputes: SyncDisputes
    files: SyncFiles
    in_store: SyncInStore
    merchant_accounts: SyncMerchantAccounts
    refunds: SyncRefunds
    report_documents: SyncReportDocuments
    report_schedules: SyncReportSchedules
    reports: SyncReports
    stores: SyncStores

    def _connect(self, preparation: Preparation, sending: _Sending, retry: Retry | None) -> None:
        http = bounded_blocking_client(
            at_once=sending.at_once,
            bounds=sending.bounds,
            verify=sending.verify,
            proxy=sending.proxy,
            most_unused=sending.most_unused,
        )
        self._offer(SyncTransport(http, preparation, retry))

    def _reconnect(self, preparation: Preparation) -> None:
        self._offer(self._transport.prepared_by(preparation))

    def _offer(self, transport: SyncTransport) -> None:
        self._transport = transport
        self.authorization_tokens = SyncAuthorizationTokens(transport)
        self.buyers = SyncBuyers(transport)
        self.charge_permissions = SyncChargePermissions(transport)
        self.charges = SyncCharges(transport)
        self.checkout_sessions = SyncCheckoutSessions(transport)
        self.delivery_trackers = SyncDeliveryTrackers(transport)
        self.disbursements = SyncDisbursements(transport)
        self.disputes = SyncDisputes(transport)
        self.files = SyncFiles(transport)
        self.in_store = SyncInStore(transport)
        self.merchant_accounts = SyncMerchantAccounts(transport)
        self.refunds = SyncRefunds(transport)
        self.report_documents = SyncReportDocuments(transport)
        self.report_schedules = SyncReportSchedules(transport)
        self.reports = SyncReports(transport)
        self.stores = SyncStores(transport)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: RequestModel | Mapping[str, Any] | bytes | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonAnswer:
        """Sends what no method of this client knows, as `AmazonPayClient.request`.

        Raises:
            ValueError: it cannot be sent; nothing was.
            ApiError: an error answer.
            TransportError: no answer, or one that is not JSON.
        """
        return self._transport.send(
            any_call(method, path, query=query or {}, body=body, idempotency_key=idempotency_key, headers=headers)
        )

    def close(self) -> None:
        """Closes the connections. A call afterwards raises `ClientUnusableError`."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _headers_of_all(headers: Mapping[str, str] | None, integrator: Integrator | None) -> dict[str, str]:
    """What every request of a client carries, by lower-case name; a header that is given comes before our own."""
    given = checked_headers(headers)
    if IDEMPOTENCY_HEADER in given:
        raise ValueError("headers: an idempotency key is for one request; give it with the call")
    return {**checked_headers(integrator.headers if integrator is not None else None), **given}


def _headers_of_sending(application: str | None) -> dict[str, str]:
    """What this HTTP client says of itself. Unpacked, an answer could be of any size, so it is asked for as it is."""
    return {"accept-encoding": "identity", **checked_headers({"user-agent": user_agent(application)})}
