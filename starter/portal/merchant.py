"""What a merchant says of the buyer's page: what may be done there, how it looks, and in whose name it speaks.

A TOML file; what stands at the top holds for every merchant account, and a table `[accounts.NAME]` says what is
otherwise for one. Nothing of it is loaded from elsewhere: the logo is a file that this process reads and serves.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from amazon_pay_client.files import read_small_file
from perennial_billing.billing.contract.terms import ACCOUNT_NAME
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX
from perennial_billing.starter.portal.languages import LANGUAGES
from perennial_billing.starter.portal.purposes import Permission

VARIABLE: Final = f"{PREFIX}PORTAL_PATH"
LARGEST_FILE_BYTES: Final = 256 * 1024
LOGO_TYPES: Final[Mapping[str, str]] = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Words(_Said):
    """A text in some of the page's languages; where a language lacks it, the first one that is there is shown."""

    en: Line | None = None
    de: Line | None = None
    fr: Line | None = None
    it: Line | None = None
    es: Line | None = None
    ja: Line | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, language) for language in LANGUAGES):
            raise ValueError(f"a text in at least one language is accepted: {', '.join(LANGUAGES)}")
        return self

    def in_language(self, language: str) -> str:
        """The text as it is shown."""
        said = [getattr(self, each) for each in (language, *LANGUAGES)]
        return str(next(each for each in said if each))


class Reason(_Said):
    """Why a buyer may say to cancel.

    Attributes:
        id: what the ledger keeps.
        words: what the buyer reads.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    words: Words


class Merchant(_Said):
    """Whose page it is.

    Attributes:
        name: as buyers know it; the page names nobody when not given.
        allows: what buyers may do.
        contact: where they get help: a `mailto:`, `tel:` or `https:` address.
        return_url: the shop's page that the buyer came from.
        colour: of buttons, `#rrggbb`; the page sees to it that they can be read.
        logo: a file beside the TOML file.
        reasons: for cancelling, of which the buyer may choose one; not asked for where there are none.
        longest_pause_days: how long a pause may be.
        pause_without_end: whether a pause may last until the buyer resumes.
        plans: what plans are called, by plan id; a plan that is not named is told by its price alone.
    """

    name: Line | None = None
    allows: frozenset[Permission] = frozenset({Permission.CANCEL, Permission.PAYMENT_METHOD})
    contact: Annotated[str, StringConstraints(pattern=r"^(mailto:|tel:|https://)[^\s\x00-\x1f]{1,500}$")] | None = None
    return_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s\x00-\x1f]{1,500}$")] | None = None
    colour: Colour = "#1f4e5f"
    logo: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")] | None = None
    reasons: Annotated[tuple[Reason, ...], Field(max_length=20)] = ()
    longest_pause_days: Annotated[int, Field(ge=1, le=366)] = 92
    pause_without_end: bool = False
    plans: Mapping[str, Words] = {}

    @property
    def contact_shown(self) -> str:
        """The contact as a person reads it."""
        return re.sub(r"^(mailto:|tel:|https://)", "", self.contact or "").partition("?")[0]

    def reason(self, given: str) -> str | None:
        """The id of a reason that a buyer chose; None where it is none of them."""
        return given if any(each.id == given for each in self.reasons) else None


class _File(Merchant):
    """The file.

    Attributes:
        frame_ancestors: the shops that may show the page within theirs; none when not given.
        accounts: what is otherwise for a merchant account.
    """

    frame_ancestors: tuple[Origin, ...] = ()
    accounts: dict[Annotated[str, StringConstraints(pattern=ACCOUNT_NAME)], dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture, as it is served.

    Attributes:
        name: by which it is asked for.
        media_type: of its bytes.
        content: as the file had it.
    """

    name: str
    media_type: str
    content: bytes


class Merchants:
    """Whose page it is, by merchant account.

    Args:
        default: of accounts that say nothing.
        accounts: those that do.
        logos: their pictures, by file name.
        frame_ancestors: who may show the page within theirs.
    """

    def __init__(
        self,
        default: Merchant,
        accounts: Mapping[str, Merchant] | None = None,
        logos: Mapping[str, Logo] | None = None,
        frame_ancestors: tuple[str, ...] = (),
    ) -> None:
        self.default, self.frame_ancestors = default, frame_ancestors
        self._accounts, self._logos = dict(accounts or {}), dict(logos or {})

    def of(self, account: str | None) -> Merchant:
        """The merchant of an account."""
        return self._accounts.get(account or "", self.default)

    def logo_of(self, merchant: Merchant) -> Logo | None:
        """The merchant's logo."""
        return self._logos.get(merchant.logo or "")

    def logo(self, name: str) -> Logo | None:
        """The picture that is asked for by a name."""
        return next((each for each in self._logos.values() if each.name == name), None)

    @property
    def colours(self) -> frozenset[str]:
        """All that are used."""
        return frozenset(each.colour for each in (self.default, *self._accounts.values()))


def merchants_of(path: Path | None) -> Merchants:
    """Reads the file; without one, buyers may cancel and change the payment method.

    Raises:
        StartupError: it cannot be read, or says what is not accepted.
    """
    if path is None:
        return Merchants(Merchant())
    try:
        given = tomllib.loads(read_small_file(path, LARGEST_FILE_BYTES).content.decode())
        file = _File.model_validate(given)
        top = {name: value for name, value in given.items() if name in Merchant.model_fields}
        accounts = {account: _of_account(account, top | otherwise) for account, otherwise in file.accounts.items()}
    except ValidationError as error:
        raise StartupError(f"{VARIABLE}: {_in_a_line(error)}") from None
    except (OSError, ValueError) as error:
        raise StartupError(f"{VARIABLE}: {path} cannot be read ({error})") from None
    default = Merchant.model_validate(top)
    names = sorted({each.logo for each in (default, *accounts.values()) if each.logo})
    return Merchants(default, accounts, {name: _logo(path.parent / name) for name in names}, file.frame_ancestors)


def _of_account(account: str, given: Mapping[str, Any]) -> Merchant:  # Any: as TOML has it
    try:
        return Merchant.model_validate(given)
    except ValidationError as error:
        raise StartupError(f"{VARIABLE}: accounts.{account}: {_in_a_line(error)}") from None


def _in_a_line(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"


def _logo(path: Path) -> Logo:
    media_type = LOGO_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise StartupError(f"{VARIABLE}: logo: {path.name} is none of {', '.join(LOGO_TYPES)}")
    try:
        content = read_small_file(path, LARGEST_FILE_BYTES).content
    except (OSError, ValueError) as error:
        raise StartupError(f"{VARIABLE}: logo: {path} cannot be read ({error})") from None
    return Logo(f"{sha256(content).hexdigest()[:16]}{path.suffix.lower()}", media_type, content)
