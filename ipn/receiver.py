"""What is done with one posted message: it is proven, then handed over, and counted.

The answer decides whether SNS sends the message again: it does after a 5xx or none at all, and never after a 4xx.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from amazon_pay_client.ipn import Envelope, EnvelopeType, Notification
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.library import httpx
from perennial_billing.ipn.certificates import CertificateUnavailableError, is_amazon_sns_url
from perennial_billing.ipn.metrics import IpnMetrics
from perennial_billing.ipn.proof import LONGEST_CLAIM, Prover, UnprovenError
from perennial_billing.ipn.repeats import Repeats
from perennial_billing.ipn.routing import NotYetRunningError, Routed, Router, TemporalUnavailableError

CONFIRMING: Final = Bounds(seconds=4.0, answer_bytes=64 * 1024)
"""The visit that confirms a topic's subscription. With the body and the certificate it stays within the 15 s that SNS
gives a receiver."""

Noticed = Callable[[Notification, str], None]
"""Is told of each notification that is proven to be Amazon's, and the ARN of its topic, whatever becomes of it."""

Merchants = Callable[[str], Awaitable[bool | None]]
"""Tells whether notifications for a merchant, by Amazon's id, are taken; None where that is not known now."""

_log = structlog.get_logger("ipn")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told."""

    status: int
    text: str


_HANDED_OVER: Final = frozenset({Routed.SIGNALLED, Routed.AFTER_THE_END})

LATER: Final = Answer(503, "try again later")


class Receiver:
    """Takes SNS messages.

    Args:
        prover: says which are believed.
        router: hands notifications to workflows.
        http: visits the address that confirms a topic's subscription.
        metrics: counts.
        noticed: is told of each notification.
        merchants: tells whose notifications are taken; of whomever the prover takes them for, when it is not given.
    """

    def __init__(
        self,
        prover: Prover,
        router: Router,
        http: httpx.AsyncClient,
        metrics: IpnMetrics,
        noticed: Noticed | None = None,
        merchants: Merchants | None = None,
    ) -> None:
        self._prover = prover
        self._router = router
        self._http = http
        self._metrics = metrics
        self._noticed = noticed
        self._merchants = merchants
        self._repeats = Repeats()

    async def take(self, body: bytes) -> Answer:
        """The answer to one posted body."""
        with self._metrics.receiving():
            try:
                envelope = await self._prover.envelope(body)
                self._metrics.proven(envelope.type)
                return await self._take_proven(envelope)
            except UnprovenError as error:
                _log.warning("message refused", cause=error.cause, why=str(error), claimed=error.claimed)
                self._metrics.refused(error.cause)
                return Answer(400 if error.cause == "malformed" else 403, str(error))
            except CertificateUnavailableError as error:
                return self._later("certificate", str(error))
            except TemporalUnavailableError as error:
                return self._later("temporal", str(error))
            except NotYetRunningError as error:
                return self._later("not_yet_running", str(error))
            except TimeoutError:
                return self._later("temporal", "another delivery of the same message is still being handed over")

    async def _take_proven(self, envelope: Envelope) -> Answer:
        match envelope.type:
            case EnvelopeType.NOTIFICATION:
                return await self._hand_over(envelope)
            case EnvelopeType.SUBSCRIPTION_CONFIRMATION:
                return await self._confirm(envelope)
            case EnvelopeType.UNSUBSCRIBE_CONFIRMATION:
                _log.warning("the topic was unsubscribed: no notifications will come", topic=envelope.topic_arn)
                return Answer(200, "noted")

    async def _hand_over(self, envelope: Envelope) -> Answer:
        notification = self._prover.notification(envelope)
        if self._merchants is not None:
            is_ours = await self._merchants(notification.merchant_id)
            if is_ours is None:
                return self._later("accounts", "whether the notification's merchant is one of ours is not known now")
            if not is_ours:
                raise UnprovenError(
                    "merchant",
                    "the notification is for a merchant of whom no account is known here",
                    notification.merchant_id[:LONGEST_CLAIM],
                )
        if self._noticed is not None:
            self._noticed(notification, envelope.topic_arn)

        async def route() -> Routed:
            routed = await self._router.route(notification)
            if routed in _HANDED_OVER:
                self._repeats.add(envelope.message_id)
            return routed

        routed = await self._repeats.once(envelope.message_id, route) or Routed.REPEATED
        if routed in _HANDED_OVER:  # not logged: the workflow's history has it
            self._metrics.signalled(notification)
        else:
            self._metrics.dropped(notification, routed.value)
            _log.info(
                "notification dropped",
                reason=routed.value,
                object_type=str(notification.object_type),
                notification_id=notification.notification_id,
            )
        return Answer(200, routed.value)

    async def _confirm(self, envelope: Envelope) -> Answer:
        """Visits the address that confirms the topic's subscription, on Amazon's hosts only."""
        url = envelope.subscribe_url or ""
        if not is_amazon_sns_url(url):
            raise UnprovenError("certificate", "SubscribeURL is not on an SNS host of Amazon's")
        try:
            answer = await self._http.get(url, extensions=CONFIRMING.extensions)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            return self._later("confirmation", f"the topic's subscription was not confirmed: {type(error).__name__}")
        _log.info("the topic's subscription is confirmed", topic=envelope.topic_arn)
        return Answer(200, "confirmed")

    def _later(self, cause: str, why: str) -> Answer:
        _log.warning("message cannot be taken now", cause=cause, why=why)
        self._metrics.deferred(cause)
        return LATER
