"""Links and forms of the buyer's page: sealed, so that nobody reads, forges or changes one.

What is sealed is encrypted (AES in CBC mode) and then signed (HMAC with SHA-256, compared in constant time): a Fernet
token. So not even the charge permission's id can be read from an address. Of several secrets the first seals and each
opens: a new one is put before the old one, which goes once the last of its links has expired.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from perennial_billing.billing.contract.terms import ChargePermissionId
from perennial_billing.billing.refusals import Refused
from perennial_billing.starter.portal.purposes import Act, Purpose

SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
DEFAULT: Final = timedelta(hours=1)
"""How long a link is valid."""

CONFIRMED_WITHIN: Final = timedelta(minutes=30)
"""How long a form that asks for the buyer's consent can be sent."""

LONGEST_TOKEN: Final = 1_024
"""Characters; a longer one is none of ours."""

Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class SealError(Exception):
    """It is not sealed with a secret of ours, or is something else."""


class ExpiredError(SealError):
    """It was ours, and nobody takes it any more."""


class Sealed(BaseModel):
    """What both have in common.

    Attributes:
        charge_permission_id: whose subscription.
        purpose: what the link is for.
        nonce: recognises what is done by it.
        expires_at: until when it is taken (UTC).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge_permission_id: ChargePermissionId
    purpose: Purpose
    nonce: Nonce
    expires_at: AwareDatetime


class Link(Sealed):
    """What an address holds."""

    kind: Literal["link"] = "link"


class Consent(Sealed):
    """What a form holds that the buyer confirms: what was shown is what is done.

    Attributes:
        act: what is to be done.
        until: the day on which a pause ends, in the subscription's zone; None for until it is resumed.
        at_once: a cancellation does not wait for the end of what is paid.
        kept_until: until when is remembered that it was done (UTC): the link's end.
    """

    kind: Literal["consent"] = "consent"
    act: Act
    until: date | None = None
    at_once: bool = False
    kept_until: AwareDatetime


Kind = TypeVar("Kind", Link, Consent)


def link_to(
    charge_permission_id: str, purpose: Purpose, valid: timedelta = DEFAULT, now: datetime | None = None
) -> Link:
    """A new link.

    Raises:
        Refused: it would be valid for too short or too long.
    """
    if not SHORTEST <= valid <= LONGEST:
        raise Refused("valid", valid, f"from {SHORTEST} to {LONGEST.days} days are")
    return Link(
        charge_permission_id=charge_permission_id,
        purpose=purpose,
        nonce=new_nonce(),
        expires_at=(now or datetime.now(UTC)) + valid,
    )


def new_nonce() -> str:
    """One that nobody has had."""
    return secrets.token_hex(16)


class Seal:
    """Seals and opens.

    Args:
        keys: each 32 bytes in URL-safe base64; the first seals.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def close(self, what: Sealed) -> str:
        """As a text of letters, digits, `-`, `_` and `=`."""
        return self._fernet.encrypt(what.model_dump_json(exclude_none=True).encode()).decode()

    def open(self, token: str, kind: type[Kind], now: datetime | None = None) -> Kind:
        """What was sealed.

        Raises:
            SealError: it is not ours, or not of this kind.
            ExpiredError: it is not taken any more.
        """
        if not 0 < len(token) <= LONGEST_TOKEN or not token.isascii():
            raise SealError
        try:
            opened = kind.model_validate_json(self._fernet.decrypt(token))
        except (InvalidToken, ValidationError):
            raise SealError from None
        if opened.expires_at <= (now or datetime.now(UTC)):
            raise ExpiredError
        return opened
