"""A Python handle on a running simulator, over its control API."""

import json
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

from amazon_pay_client.models import Charge, ChargePermission, ChargeState, Currency
from amazon_pay_client.models.checkout_sessions import CheckoutSession
from amazon_pay_client.models.disputes import Dispute, DisputeFilingReason
from amazon_pay_client.models.wire import TIMESTAMP_FORMAT
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import ExportedBooks, ScriptedAnswer
from amazon_pay_simulator.cards import DEFAULT_CARD
from amazon_pay_simulator.clock import TIME_HEADER
from amazon_pay_simulator.control import NOT_AS_EXPECTED, PREFIX, JournalPage, JournalQuery
from amazon_pay_simulator.faults import FaultPlan
from amazon_pay_simulator.merchants import Merchant
from amazon_pay_simulator.report_objects import SettlementMistake
from amazon_pay_simulator.verification import Expectation, Verification


class SimulatorHandle:
    """Plays the buyer and reads the books. Instants are UTC; without one the simulator's wall clock counts.

    Every method raises `httpx.HTTPStatusError` where the simulator refuses.

    Args:
        origin: where the simulator is, such as http://127.0.0.1:8600.
        merchant_id: whose buyers are played and whose books are read; the first merchant's when not given.
        verify: whom to trust, where the simulator serves https.
    """

    def __init__(self, origin: str, merchant_id: str | None = None, verify: ssl.SSLContext | None = None) -> None:
        self.origin: Final[str] = origin.rstrip("/")
        self._whose = {"merchant": merchant_id} if merchant_id is not None else {}
        self._http = bounded_client(
            # The books of a long run are large, and the simulator is one's own.
            at_once=100,
            bounds=Bounds(seconds=30.0, answer_bytes=1024**3),
            base_url=f"{self.origin}{PREFIX}",
            verify=verify,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def open_permission(self, currency: Currency = Currency.USD, at: datetime | None = None) -> ChargePermission:
        """A buyer approves a recurring charge permission."""
        body = await self._call("POST", "/charge-permissions", {"currency": currency.value}, at)
        return ChargePermission.model_validate_json(body)

    async def script(self, charge_permission_id: str, answers: Sequence[ScriptedAnswer | str | None]) -> None:
        """Scripts the next Create Charge answers; a plain string is a simulation code, None a success."""
        script = [
            (answer if isinstance(answer, ScriptedAnswer) else ScriptedAnswer(code=answer)).model_dump(mode="json")
            for answer in answers
        ]
        await self._call("PUT", f"/charge-permissions/{charge_permission_id}/script", script)

    async def mend_payment_method(self, charge_permission_id: str, at: datetime | None = None) -> None:
        """The buyer updates the payment method."""
        await self._call("POST", f"/charge-permissions/{charge_permission_id}/mend-payment-method", None, at)

    async def break_payment_method(
        self, charge_permission_id: str, reason: str = "PaymentMethodExpired", at: datetime | None = None
    ) -> None:
        """The payment method becomes unusable."""
        path = f"/charge-permissions/{charge_permission_id}/break-payment-method"
        await self._call("POST", path, {"reason": reason}, at)

    async def close_by_buyer(
        self, charge_permission_id: str, at: datetime | None = None, reason: str = "BuyerClosed"
    ) -> None:
        """The buyer ends the agreement at Amazon; or Amazon does, with another reason."""
        path = f"/charge-permissions/{charge_permission_id}/close-by-buyer"
        await self._call("POST", path, {"reason": reason}, at)

    async def sign_in(self) -> str:
        """A buyer signs in with Amazon; gives the buyer token."""
        return str(json.loads(await self._call("POST", "/buyers"))["buyer_token"])

    async def sign_in_to_session(
        self, checkout_session_id: str, card: str = DEFAULT_CARD, at: datetime | None = None
    ) -> CheckoutSession:
        """The buyer signs in to a checkout session and chooses a test card, known by its last digits."""
        path = f"/checkout-sessions/{checkout_session_id}/sign-in"
        return CheckoutSession.model_validate_json(await self._call("POST", path, {"card": card}, at))

    async def approve_session(
        self, checkout_session_id: str, card: str = DEFAULT_CARD, at: datetime | None = None
    ) -> CheckoutSession:
        """The buyer approves a checkout session with a test card, known by its last digits."""
        path = f"/checkout-sessions/{checkout_session_id}/approve"
        return CheckoutSession.model_validate_json(await self._call("POST", path, {"card": card}, at))

    async def decline_session(
        self, checkout_session_id: str, reason: str = "BuyerCanceled", at: datetime | None = None
    ) -> CheckoutSession:
        """The buyer walks away from a checkout session."""
        path = f"/checkout-sessions/{checkout_session_id}/decline"
        return CheckoutSession.model_validate_json(await self._call("POST", path, {"reason": reason}, at))

    async def dispute_charge(
        self, charge_id: str, reason: DisputeFilingReason = DisputeFilingReason.UNRECOGNIZED, at: datetime | None = None
    ) -> Dispute:
        """The buyer's bank takes a charge back."""
        return Dispute.model_validate_json(
            await self._call("POST", f"/charges/{charge_id}/dispute", {"reason": reason}, at)
        )

    async def refuse_disputes(self, reason_code: str | None) -> None:
        """Get Dispute is refused so from now on; no more with None."""
        await self._call("PUT", "/disputes/refusal", {"reason_code": reason_code})

    async def spoil_settlements(self, *mistakes: SettlementMistake) -> None:
        """Settlements that are made from now on have these mistakes; none without any."""
        await self._call("PUT", "/settlements/mistakes", [mistake.model_dump(mode="json") for mistake in mistakes])

    async def decide_charge(self, charge_id: str, reason_code: str | None = None, at: datetime | None = None) -> Charge:
        """Amazon decides on a pending charge: captured without a reasonCode, else declined."""
        body = await self._call("POST", f"/charges/{charge_id}/decide", {"reason_code": reason_code}, at)
        return Charge.model_validate_json(body)

    async def falsify_charge(
        self,
        charge_id: str,
        *,
        state: ChargeState | None = None,
        captured: Decimal | None = None,
        refunded: Decimal | None = None,
        created: datetime | None = None,
    ) -> Charge:
        """The books say something else of a charge from now on, in its own currency; what is not given stays."""
        wish = {"state": state, "captured": captured, "refunded": refunded, "created": created}
        given = {name: str(value) for name, value in wish.items() if value is not None}
        return Charge.model_validate_json(await self._call("POST", f"/charges/{charge_id}/falsify", given))

    async def send_notifications_to(self, *urls: str | None) -> None:
        """Where notifications go from now on; nowhere with None."""
        await self._call("PUT", "/receivers", {"urls": [url for url in urls if url is not None]})

    async def deliver_notifications(self) -> None:
        """Waits until every notification was delivered or given up."""
        await self._call("POST", "/notifications/flush")

    async def ask_for_confirmation(self) -> str:
        """The receiver is asked to confirm the topic's subscription; gives the token."""
        return str(json.loads(await self._call("POST", "/notifications/subscribe"))["token"])

    async def set_clock(self, now: datetime) -> None:
        """Sets the clock; what was to happen until then happens."""
        await self._call("PUT", "/clock", {"now": now.isoformat()})

    async def advance_clock(self, by: timedelta | str) -> None:
        """Moves the clock on, also by an ISO 8601 duration such as P1M; what was to happen until then happens."""
        await self._call("POST", "/clock/advance", {"by": by if isinstance(by, str) else by.total_seconds()})

    async def now(self) -> datetime:
        """The simulator's time (UTC), for requests that bring none along."""
        return datetime.fromisoformat(json.loads(await self._call("GET", "/clock"))["now"])

    async def set_faults(self, plan: FaultPlan) -> None:
        """What goes wrong from now on."""
        await self._call("PUT", "/faults", plan.model_dump(mode="json"))

    async def faults(self) -> dict[str, int]:
        """How often each fault has happened."""
        return dict(json.loads(await self._call("GET", "/faults"))["happened"])

    async def assumptions(self) -> Assumptions:
        """What holds where Amazon's documentation is silent."""
        return Assumptions.model_validate_json(await self._call("GET", "/assumptions"))

    async def assume(self, assumptions: Assumptions) -> None:
        """What holds from now on."""
        await self._call("PUT", "/assumptions", assumptions.model_dump(mode="json"))

    async def put_merchant(self, merchant: Merchant) -> None:
        """Adds a merchant, or gives one other keys and receivers."""
        details = merchant.model_dump(mode="json", exclude={"merchant_id"})
        await self._call("PUT", f"/merchants/{merchant.merchant_id}", details)

    async def journal(self, wanted: JournalQuery | None = None) -> JournalPage:
        """The requests to the Amazon Pay API and the notifications that are wanted; the newest hundred of all."""
        query = (wanted or JournalQuery()).model_dump(mode="json", exclude_none=True)
        return JournalPage.model_validate_json(await self._call("GET", "/journal", params=query))

    async def verify(self, expected: Expectation) -> Verification:
        """Asserts that the journal has what is expected, as often as expected.

        Raises:
            AssertionError: it has not; the message tells what came nearest.
        """
        body = expected.model_dump(mode="json", exclude_none=True)
        answer = await self._http.post("/verify", json=body)
        if answer.status_code != NOT_AS_EXPECTED:
            answer.raise_for_status()
        found = Verification.model_validate_json(answer.content)
        if not found.verified:
            raise AssertionError(f"{expected.model_dump_json(exclude_none=True)}: {found.message}; {found.in_words()}")
        return found

    async def reset(self) -> None:
        """The simulator is as at its start, with nothing in its books and its journal."""
        await self._call("POST", "/reset")

    async def books(self) -> ExportedBooks:
        """Everything that was permitted, called and charged."""
        return ExportedBooks.model_validate_json(await self._call("GET", "/books"))

    async def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        at: datetime | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> bytes:
        headers = {TIME_HEADER: at.astimezone(UTC).strftime(TIMESTAMP_FORMAT)} if at else {}
        query = self._whose if params is None else params
        answer = await self._http.request(method, path, json=body, headers=headers, params=query)
        answer.raise_for_status()
        return answer.content
