"""What a simulator is told when it is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import BaseModel, ConfigDict

from amazon_pay_client import Environment
from amazon_pay_client.models import Currency
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import ScriptedAnswer
from amazon_pay_simulator.faults import FaultPlan
from amazon_pay_simulator.merchants import Merchant, public_pem
from amazon_pay_simulator.notifications import NotificationSigner

JOURNAL_SIZE = 10_000
"""Entries that the journal keeps; 40 MB where each is a charge."""


class OpenedPermission(BaseModel):
    """A charge permission that is there from the beginning."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    currency: Currency = Currency.USD
    script: tuple[ScriptedAnswer, ...] = ()
    """The answers to its next Create Charge calls."""
    merchant_id: str | None = None
    """Whose it is; the first merchant's when not given."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """What a simulator is told.

    Attributes:
        public_keys: whose requests are accepted, by public key id: the first merchant's.
        merchant_id: the first merchant, named in notifications.
        receivers: where its notifications go; nowhere until the control API says otherwise.
        further_merchants: others beside it.
        origin: where the simulator is reached, for the certificate's address in notifications and the buyer's page.
        signer: signs the notifications.
        signature_version: SNS SignatureVersion, "1" or "2".
        database: an SQLite file that keeps the books, and what the control API has set, across restarts; in memory
            when not given.
        throttled_as: the environment whose limits count; None throttles nothing.
        faults: what goes wrong; the control API can change it.
        assumptions: what the documentation leaves open; the control API can change it.
        charge_permissions: those that are there from the beginning, where the books are empty.
        journal_size: how many requests and notifications are kept to be looked at.
    """

    public_keys: Mapping[str, RSAPublicKey]
    merchant_id: str
    receivers: Sequence[str] = ()
    further_merchants: Sequence[Merchant] = ()
    origin: str = "http://127.0.0.1"
    signer: NotificationSigner = field(default_factory=NotificationSigner.create)
    signature_version: str = "2"
    database: Path | None = None
    throttled_as: Environment | None = None
    faults: FaultPlan = field(default_factory=FaultPlan)
    assumptions: Assumptions = field(default_factory=Assumptions)
    charge_permissions: Sequence[OpenedPermission] = ()
    journal_size: int = JOURNAL_SIZE

    @property
    def merchants(self) -> tuple[Merchant, ...]:
        """All of them; the first is who is meant where nobody is named.

        Raises:
            ValidationError: one of them is none.
        """
        keys = {key_id: public_pem(key) for key_id, key in self.public_keys.items()}
        first = Merchant(merchant_id=self.merchant_id, public_keys=keys, receivers=tuple(self.receivers))
        return first, *self.further_merchants
