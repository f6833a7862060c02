"""A Python handle on a running simulator, over its control API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx

from amazon_pay.models import Charge, ChargePermission, Currency
from amazon_pay.models.wire import TIMESTAMP_FORMAT
from simulator.books import ExportedBooks, ScriptedAnswer
from simulator.clock import TIME_HEADER
from simulator.control import PREFIX


class SimulatorHandle:
    """Plays the buyer and reads the books. Instants are UTC; without one the simulator's wall clock counts.

    Every method raises `httpx.HTTPStatusError` where the simulator refuses.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin.rstrip("/")
        self._http = httpx.AsyncClient(base_url=f"{self.origin}{PREFIX}", timeout=30.0)

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
            (answer if isinstance(answer, ScriptedAnswer) else ScriptedAnswer(code=answer)).model_dump()
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

    async def close_by_buyer(self, charge_permission_id: str, at: datetime | None = None) -> None:
        """The buyer ends the agreement at Amazon."""
        await self._call("POST", f"/charge-permissions/{charge_permission_id}/close-by-buyer", None, at)

    async def decide_charge(self, charge_id: str, reason_code: str | None = None, at: datetime | None = None) -> Charge:
        """Amazon decides on a pending charge: captured without a reasonCode, else declined."""
        body = await self._call("POST", f"/charges/{charge_id}/decide", {"reason_code": reason_code}, at)
        return Charge.model_validate_json(body)

    async def send_notifications_to(self, url: str | None) -> None:
        """Where notifications go from now on."""
        await self._call("PUT", "/receiver", {"url": url})

    async def deliver_notifications(self) -> None:
        """Waits until every notification was delivered or given up."""
        await self._call("POST", "/notifications/flush")

    async def books(self) -> ExportedBooks:
        """Everything that was permitted, called and charged."""
        return ExportedBooks.model_validate_json(await self._call("GET", "/books"))

    async def _call(self, method: str, path: str, body: object = None, at: datetime | None = None) -> bytes:
        headers = {TIME_HEADER: at.astimezone(UTC).strftime(TIMESTAMP_FORMAT)} if at else {}
        answer = await self._http.request(method, path, json=body, headers=headers)
        answer.raise_for_status()
        return answer.content
