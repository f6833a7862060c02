"""Sends Amazon's notifications: SNS envelopes, signed with a certificate that the simulator makes itself."""

import asyncio
import base64
import contextlib
import json
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import AfterValidator, HttpUrl, TypeAdapter, ValidationError

from amazon_pay_client.files import read_small_file
from amazon_pay_client.ipn import Envelope, EnvelopeType, Notification, ObjectType
from amazon_pay_client.keys import load_private_key
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from amazon_pay_simulator.certificates import new_key, self_signed, write_private_key
from amazon_pay_simulator.faults import Faults
from amazon_pay_simulator.journal import Journal, RawNotification, now

TOPIC_ARN: Final = "arn:aws:sns:us-east-1:000000000000:perennial-simulator"
CERTIFICATE_FILE: Final = "sns-certificate.pem"
KEY_FILE: Final = "sns-key.pem"
RETRY_DELAYS_SECONDS: Final = (0.2, 1.0, 3.0, 10.0, 30.0)
"""Waits between deliveries while the receiver fails; SNS waits longer, a local run would not."""

_HASH_OF_VERSION: Final[dict[str, hashes.HashAlgorithm]] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303
_log = logging.getLogger(__name__)


_HTTP_URL: Final = TypeAdapter(HttpUrl)


def _address(text: str) -> str:
    try:
        return str(_HTTP_URL.validate_python(text))
    except ValidationError:
        raise ValueError("an address is accepted, such as http://127.0.0.1:8601/ipn, with a port up to 65535") from None


ReceiverUrl = Annotated[str, AfterValidator(_address)]
"""An address to send notifications to."""


@dataclass(frozen=True, slots=True)
class NotificationSigner:
    """A private key and its self-made certificate."""

    private_key: rsa.RSAPrivateKey
    certificate_pem: bytes

    @classmethod
    def create(cls) -> "NotificationSigner":
        """Makes a new key and certificate."""
        key = new_key()
        return cls(key, self_signed(key, "Amazon Pay simulator"))

    @classmethod
    def load_or_create(cls, folder: Path) -> "NotificationSigner":
        """The key and certificate of an earlier run in this folder, or new ones written there.

        A receiver that was told to trust the certificate goes on to trust it after a restart.
        """
        key_path, certificate_path = folder / KEY_FILE, folder / CERTIFICATE_FILE
        if key_path.exists() and certificate_path.exists():
            return cls(load_private_key(key_path), read_small_file(certificate_path).content)
        signer = cls.create()
        write_private_key(key_path, signer.private_key)
        signer.write_certificate(folder)
        return signer

    def write_certificate(self, folder: Path) -> Path:
        """Writes the certificate where a receiver can be told to trust it."""
        path = folder / CERTIFICATE_FILE
        path.write_bytes(self.certificate_pem)
        return path

    def sign(self, envelope: Envelope) -> Envelope:
        """The envelope with its signature, by the rule of its SignatureVersion."""
        algorithm = _HASH_OF_VERSION[envelope.signature_version]
        signature = self.private_key.sign(envelope.string_to_sign(), padding.PKCS1v15(), algorithm)
        return envelope.model_copy(update={"signature": base64.b64encode(signature).decode()})


class _Line:
    """What is still to be delivered to one receiver, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.outbox: asyncio.Queue[Envelope] = asyncio.Queue()
        self.delivering: asyncio.Task[None] | None = None

    async def end(self) -> None:
        """Delivers no more; whoever waits for what was left need not wait any longer."""
        if self.delivering is not None:
            self.delivering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.delivering
            self.delivering = None
        while not self.outbox.empty():
            self.outbox.get_nowait()
            self.outbox.task_done()


class NotificationSender:
    """Posts notifications to each receiver in order, again while it fails, and never after it refused one.

    Args:
        signer: signs the envelopes.
        merchant_id: whose notifications they are.
        receivers: the addresses they go to; none of them waits for another.
        certificate_url: what the envelopes name as SigningCertURL.
        signature_version: "1" (SHA1) or "2" (SHA256).
        faults: which of them are lost, doubled or late.
        journal: notes each try.
    """

    def __init__(
        self,
        signer: NotificationSigner,
        merchant_id: str,
        receivers: Sequence[str],
        certificate_url: str,
        signature_version: str = "2",
        faults: Faults | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._signer = signer
        self._merchant_id = merchant_id
        self._certificate_url = certificate_url
        self._signature_version = signature_version
        self._faults = faults or Faults()
        self._journal = journal
        self._lines = {url: _Line(url) for url in receivers}
        self._late: set[asyncio.Task[None]] = set()
        self._is_running = False
        self.delivered: int = 0

    @property
    def receivers(self) -> tuple[str, ...]:
        """The addresses that notifications go to."""
        return tuple(self._lines)

    async def send_to(self, receivers: Sequence[str]) -> None:
        """Notifications go to these addresses from now on; what another has not taken yet, it gets no more."""
        gone = [line for url, line in self._lines.items() if url not in receivers]
        self._lines = {url: self._lines.get(url) or _Line(url) for url in receivers}
        for line in gone:
            await line.end()
        if self._is_running:
            self.begin()

    def notify(self, object_type: ObjectType, object_id: str, charge_permission_id: str) -> None:
        """Queues one notification for each receiver."""
        if not self._lines:
            return
        envelope = self.envelope(object_type, object_id, charge_permission_id)
        for number, line in enumerate(self._lines.values()):
            # Not by the address: it may have another port in each run.
            identity = f"{object_type} {object_id}" + (f" to {number + 1}" if number else "")
            for seconds in self._faults.of_notification(identity):
                if seconds:
                    late = asyncio.get_running_loop().create_task(_queue_later(line, envelope, seconds))
                    self._late.add(late)
                    late.add_done_callback(self._late.discard)
                else:
                    line.outbox.put_nowait(envelope)

    def ask_for_confirmation(self, subscribe_url: str, token: str) -> None:
        """Queues the message by which SNS asks a new receiver to visit an address."""
        envelope = self._signer.sign(
            self._envelope(
                EnvelopeType.SUBSCRIPTION_CONFIRMATION,
                f"You have chosen to subscribe to the topic {TOPIC_ARN}. Visit the SubscribeURL to confirm.",
            ).model_copy(update={"subscribe_url": subscribe_url, "token": token})
        )
        for line in self._lines.values():
            line.outbox.put_nowait(envelope)

    def envelope(self, object_type: ObjectType, object_id: str, charge_permission_id: str) -> Envelope:
        """A signed envelope around one notification."""
        notification = Notification(
            merchant_id=self._merchant_id,
            object_type=object_type,
            object_id=object_id,
            charge_permission_id=charge_permission_id,
            notification_type="STATE_CHANGE",
            notification_id=uuid.uuid4().hex,
        )
        return self._signer.sign(self._envelope(EnvelopeType.NOTIFICATION, notification.model_dump_json(by_alias=True)))

    def _envelope(self, kind: EnvelopeType, message: str) -> Envelope:
        return Envelope(
            type=kind,
            message_id=str(uuid.uuid4()),
            topic_arn=TOPIC_ARN,
            message=message,
            timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            signature_version=self._signature_version,
            signature="",
            signing_cert_url=self._certificate_url,
        )

    def begin(self) -> None:
        """Delivers from now on; in a running event loop."""
        self._is_running = True
        for line in self._lines.values():
            if line.delivering is None:
                line.delivering = asyncio.get_running_loop().create_task(self._deliver_for_ever(line))

    async def end(self) -> None:
        """Delivers no more, and forgets what was to be delivered."""
        self._is_running = False
        for late in self._late:
            late.cancel()
        for line in self._lines.values():
            await line.end()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers while the context is open."""
        self.begin()
        try:
            yield
        finally:
            await self.end()

    async def delivered_all(self) -> None:
        """Waits until nothing is left to deliver, late ones included."""
        while self._late:
            await asyncio.wait(self._late)
        for line in list(self._lines.values()):
            await line.outbox.join()

    async def _deliver_for_ever(self, line: _Line) -> None:
        async with bounded_client(at_once=1, bounds=Bounds(seconds=10.0)) as http:
            while True:
                envelope = await line.outbox.get()
                try:
                    await self._deliver(http, line.url, envelope)
                finally:
                    line.outbox.task_done()

    async def _deliver(self, http: httpx.AsyncClient, url: str, envelope: Envelope) -> None:
        body = json.dumps(envelope.model_dump(mode="json", by_alias=True, exclude_none=True))
        headers = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": envelope.type.value}
        failure = ""
        for number, delay in enumerate((0.0, *RETRY_DELAYS_SECONDS)):
            await asyncio.sleep(delay)
            at = now()
            try:
                answer = await http.post(url, content=body, headers=headers)
            except httpx.HTTPError as error:
                failure = type(error).__name__
                self._note(url, envelope, at, number + 1, None, failure)
                continue
            self._note(url, envelope, at, number + 1, answer.status_code, None)
            if answer.is_success:
                self.delivered += 1
                return
            failure = f"status {answer.status_code}"
            if not answer.is_server_error:
                break
        _log.warning("notification %s was not delivered: %s", envelope.message_id, failure)

    def _note(
        self, url: str, envelope: Envelope, at: datetime, attempt: int, status: int | None, failure: str | None
    ) -> None:
        if self._journal is None:
            return
        told = (
            Notification.model_validate_json(envelope.message) if envelope.type is EnvelopeType.NOTIFICATION else None
        )
        self._journal.write(
            RawNotification(
                at=at,
                merchant_id=self._merchant_id,
                url=url,
                message_id=envelope.message_id,
                object_type=told.object_type if told else None,
                object_id=told.object_id if told else None,
                charge_permission_id=told.charge_permission_id if told else None,
                attempt=attempt,
                status=status,
                failure=failure,
            )
        )


async def _queue_later(line: _Line, envelope: Envelope, seconds: float) -> None:
    await asyncio.sleep(seconds)
    line.outbox.put_nowait(envelope)
