"""The merchants of one simulated Amazon Pay, each with keys, receivers, books and limits of its own.

A request belongs to the merchant whose key it is signed with. Nobody sees what is another's, as at Amazon.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from fastapi import FastAPI
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from amazon_pay_client import Environment
from amazon_pay_simulator.account import Account
from amazon_pay_simulator.agreements import agreements_router
from amazon_pay_simulator.answers import answer_refusal
from amazon_pay_simulator.api import AmazonPayApi
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import Books
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.context import Context
from amazon_pay_simulator.downloads import downloads_router
from amazon_pay_simulator.environments import environment_of_keys
from amazon_pay_simulator.faults import Faults
from amazon_pay_simulator.journal import Journal
from amazon_pay_simulator.notifications import NotificationSender, NotificationSigner, ReceiverUrl
from amazon_pay_simulator.pages import pages_router
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.storage import SqliteStore, StorePart
from amazon_pay_simulator.throttling import Throttle

PAGES_OF: Final = "/merchants/"
"""Beneath it, by merchant id, are the buyer's pages of all merchants but the first."""


def read_public_key(pem: str) -> RSAPublicKey:
    """A public key as Seller Central has it.

    Raises:
        ValueError: it is none, or not RSA.
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("an RSA public key in PEM form is accepted, which begins with -----BEGIN PUBLIC KEY") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"an RSA public key is accepted; this is one of {type(key).__name__}")
    return key


def public_pem(key: RSAPublicKey) -> str:
    """A public key in PEM form."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _is_public_key(pem: str) -> str:
    read_public_key(pem)
    return pem


MerchantId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
PublicKeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class Merchant(BaseModel):
    """A merchant account at Amazon Pay."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    merchant_id: MerchantId
    """The seller id, which notifications name."""
    public_keys: dict[PublicKeyId, Annotated[str, AfterValidator(_is_public_key)]] = Field(min_length=1)
    """Whose signatures are accepted: RSA public keys in PEM form, by public key id."""
    receivers: tuple[ReceiverUrl, ...] = ()
    """Addresses that notifications are posted to."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all merchants of a simulator have in common.

    Attributes:
        origin: where the simulator is reached.
        clock: what time it is.
        faults: what goes wrong.
        assumptions: what the documentation leaves open.
        journal: what is asked and sent.
        signer: signs notifications.
        certificate_url: where its certificate is.
        signature_version: of SNS.
        throttled_as: the environment whose limits hold for each merchant; None for no limits.
        store: keeps the books; in memory where it is None.
    """

    origin: str
    clock: Clock
    faults: Faults
    assumptions: Assumptions
    journal: Journal
    signer: NotificationSigner
    certificate_url: str
    signature_version: str
    throttled_as: Environment | None
    store: SqliteStore | None


class MerchantAccount:
    """One merchant at work.

    Args:
        merchant: who it is.
        shared: what it has in common with others.
        is_first: the first merchant's books and pages bear no name.

    Raises:
        sqlite3.DatabaseError: its books are none.
    """

    def __init__(self, merchant: Merchant, shared: Shared, *, is_first: bool) -> None:
        self.merchant: Merchant = merchant
        self._keys: dict[str, RSAPublicKey] = {}
        self._know_keys()
        owner = "" if is_first else merchant.merchant_id
        self.sender: Final = NotificationSender(
            shared.signer,
            merchant.merchant_id,
            merchant.receivers,
            shared.certificate_url,
            shared.signature_version,
            shared.faults,
            shared.journal,
        )
        books = Books(StorePart(shared.store, owner) if shared.store is not None else None)
        origin = shared.origin if is_first else f"{shared.origin}{PAGES_OF}{owner}"
        self.account: Final = Account(
            Context(
                books,
                self.sender.notify,
                shared.assumptions,
                origin,
                environment_of_keys(merchant.public_keys),
                merchant.merchant_id,
                owner,
            )
        )
        throttle = Throttle(shared.throttled_as)
        self.api: Final = AmazonPayApi(
            self.account, self._keys, shared.clock, shared.assumptions, throttle, shared.faults
        )
        self.pages: Final = FastAPI(openapi_url=None)
        self.pages.include_router(pages_router(self.account, shared.clock, self._keys))
        self.pages.include_router(agreements_router(self.account, shared.clock))
        self.pages.include_router(downloads_router(self.account, shared.clock))
        self.pages.add_exception_handler(Refusal, answer_refusal)

    async def become(self, merchant: Merchant) -> None:
        """The same merchant with other keys and receivers; its books stay."""
        self.merchant = merchant
        self._know_keys()
        await self.sender.send_to(merchant.receivers)

    def _know_keys(self) -> None:
        self._keys.clear()
        self._keys.update({key_id: read_public_key(pem) for key_id, pem in self.merchant.public_keys.items()})
