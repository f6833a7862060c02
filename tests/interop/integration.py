"""A merchant's integration: our client, the simulator that it talks to, and the objects that a call needs first."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.types import Receive, Scope, Send

from amazon_pay_client import AmazonPayClient, Environment, Region
from amazon_pay_client.models import (
    Charge,
    ChargePermissionType,
    CompleteCheckoutSessionRequest,
    CreateChargeRequest,
    CreateCheckoutSessionRequest,
    CreateRefundRequest,
    Currency,
    Frequency,
    PaymentDetails,
    PaymentIntent,
    Price,
    RecurringMetadata,
    Refund,
    WebCheckoutDetails,
)
from amazon_pay_client.models.checkout_sessions import CheckoutSession
from amazon_pay_client.models.disputes import Dispute
from amazon_pay_simulator import SimulatorConfig, SimulatorHandle, create_app
from amazon_pay_simulator.control import PREFIX
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.routes import find_operation
from perennial_billing.runtime.http import bind, origin_of, serving

KEY_ID: Final = "SANDBOX-MERCHANT"


def usd(amount: str) -> Price:
    """An amount in dollars."""
    return Price(amount=Decimal(amount), currency_code=Currency.USD)


PRICE: Final = usd("9.99")


def key() -> str:
    """An idempotency key that was never used."""
    return uuid.uuid4().hex


@dataclass
class Integration:
    """Both sides.

    Attributes:
        client: ours.
        amazon: plays the buyer and shows the books.
        called: the names of the operations that arrived, oldest first.
    """

    client: AmazonPayClient
    amazon: SimulatorHandle
    called: list[str] = field(default_factory=list)

    async def permission(self) -> str:
        """A recurring charge permission that a buyer has approved."""
        return (await self.amazon.open_permission()).charge_permission_id

    async def session(
        self, kind: ChargePermissionType = ChargePermissionType.RECURRING, *, approved: bool = True
    ) -> CheckoutSession:
        """A session that lacks nothing."""
        recurring = RecurringMetadata(frequency=Frequency(unit="Month", value="1"), amount=PRICE)
        request = CreateCheckoutSessionRequest(
            web_checkout_details=WebCheckoutDetails(checkout_result_return_url="https://shop.example/result"),
            store_id="amzn1.application-oa2-client.1",
            charge_permission_type=kind,
            recurring_metadata=recurring if kind is ChargePermissionType.RECURRING else None,
            payment_details=PaymentDetails(payment_intent=PaymentIntent.CONFIRM, charge_amount=PRICE),
        )
        session = await self.client.checkout_sessions.create(request, idempotency_key=key())
        return await self.amazon.approve_session(session.checkout_session_id) if approved else session

    async def permission_of(self, kind: ChargePermissionType) -> str:
        """A charge permission of another type."""
        session = await self.session(kind)
        done = await self.client.checkout_sessions.complete(
            session.checkout_session_id, CompleteCheckoutSessionRequest(charge_amount=PRICE)
        )
        assert done.session.charge_permission_id is not None
        return done.session.charge_permission_id

    async def charge(self, permission: str | None = None, amount: Price = PRICE, *, capture: bool = True) -> Charge:
        """A charge that succeeds."""
        return await self.client.charges.create(
            await self.request(permission, amount, capture=capture), idempotency_key=key()
        )

    async def request(
        self, permission: str | None = None, amount: Price = PRICE, *, capture: bool = True
    ) -> CreateChargeRequest:
        """What a charge is asked for with."""
        return CreateChargeRequest(
            charge_permission_id=permission or await self.permission(), charge_amount=amount, capture_now=capture
        )

    async def refund(self, charge_id: str | None = None, amount: Price = PRICE) -> Refund:
        """A refund; of a charge of its own when none is named."""
        request = CreateRefundRequest(charge_id=charge_id or (await self.charge()).charge_id, refund_amount=amount)
        return await self.client.refunds.create(request, idempotency_key=key())

    async def dispute(self) -> Dispute:
        """A chargeback of a charge of its own."""
        return await self.amazon.dispute_charge((await self.charge()).charge_id)


@asynccontextmanager
async def integration(
    private_key: RSAPrivateKey, *, signs_with: RSAPrivateKey | None = None, throttled_as: Environment | None = None
) -> AsyncIterator[Integration]:
    """Our client against a simulator that knows the private key.

    Args:
        private_key: the merchant's.
        signs_with: what the client signs with instead.
        throttled_as: the environment whose limits hold.
    """
    with bind("127.0.0.1", 0) as listener:
        origin = origin_of(listener)
        app = create_app(
            SimulatorConfig(
                public_keys={KEY_ID: private_key.public_key()},
                merchant_id="A1MERCHANT",
                origin=origin,
                throttled_as=throttled_as,
            )
        )
        called: list[str] = []

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and not scope["path"].startswith(PREFIX):
                with contextlib.suppress(Refusal):  # of a path that the simulator does not have; it answers so
                    called.append(find_operation(scope["method"], scope["path"])[0].name)
            await app(scope, receive, send)

        async with (
            serving(watched, listener),
            SimulatorHandle(origin) as amazon,
            AmazonPayClient(
                public_key_id=KEY_ID, private_key=signs_with or private_key, region=Region.NA, origin=origin
            ) as client,
        ):
            yield Integration(client, amazon, called)
