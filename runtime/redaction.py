"""What no log may show, hidden wherever it stands: secrets, and what Amazon tells of a buyer.

Secrets of this process are known, and hidden as they are. All others are known by how they look (a private key, a
webhook secret, the password in an address) or by the name before them (`Authorization`, `"password":`, `token=`). A
buyer's name and address have no look of their own, so the names of Amazon's fields give them away, in mappings and in
texts that hold such. A name that stands alone in a sentence cannot be known: nobody may write one there.

It looks at each text of each line, so it looks first whether there is anything to look for.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

HIDDEN: Final = "[hidden]"

SHORTEST_SECRET: Final = 6
"""Characters: what is shorter stands in many words, and protects nothing."""

_SECRET_ENDS: Final = (
    "password", "passwd", "passphrase", "secret", "secrets", "token", "apikey", "privatekey", "codeckeys",
    "authorization", "cookie", "credentials",
)  # fmt: skip
"""Of the name of a field, in small letters and without what joins words: all that it holds is secret."""

_OF_A_BUYER: Final = frozenset(
    {
        "buyer", "buyername", "buyeremail", "email", "emailaddress", "phone", "phonenumber", "shippingaddress",
        "billingaddress", "defaultshippingaddress", "shippingaddresslist", "addressdetails", "addressline1",
        "addressline2", "addressline3", "city", "county", "district", "stateorregion", "postalcode",
    }
)  # fmt: skip
"""Fields of Amazon's answers, written alike."""

_NAME: Final = "name"
"""Of a buyer where it stands beside one of those."""

_SUSPECTS: Final = (
    "-----", "whsec_", "perennial_", "eyj", "://", "@", "bearer", "basic", "passw", "passphrase", "secret", "token",
    "apikey", "api_key", "api-key", "privatekey", "private_key", "private-key", "codeckeys", "codec_keys",
    "credentials", "authori", "cookie", "buyer", "mail", "phone", "address", "city", "county", "district", "region",
    "postal",
)  # fmt: skip
"""In small letters. Without any of them, a text holds nothing that is hidden by its look or by the name before it."""

_SECRETS_SUSPECTS: Final = frozenset(_SUSPECTS[_SUSPECTS.index("passw") : _SUSPECTS.index("buyer")])
_BUYERS_SUSPECTS: Final = frozenset(_SUSPECTS[_SUSPECTS.index("buyer") :])

_BEGIN: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)", re.DOTALL
)
_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")

_KEYED: Final = r"""(?:\\*["']\s*:\s*|\s?=\s?)"""
"""Between a name and what it names: quoted as in JSON, or with an equals sign. After a bare colon stands a sentence."""

_OPENING: Final = re.compile(r"""b?(\\*)(["'])""")
_BARE: Final = re.compile(r"""[^\s"',;&)}\]]*""")

_HIDES_WHAT_FOLLOWS: Final = (
    r"(?:password|passwd|passphrase|secrets?|token|api[_-]?key|private[_-]?key|codec[_-]?keys|credentials|"
    r"authori[sz]ation|cookie)"
)
_BUYER_WORD: Final = (
    r"(?:buyer_?name|buyer_?email|e-?mail(?:_?address)?|phone(?:_?number)?|address_?line_?[123]|city|county|district|"
    r"state_?or_?region|postal_?code)"
)

_LOOKS: Final[tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...]] = (
    (("whsec_",), re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), HIDDEN),
    (("perennial_",), re.compile(r"perennial_[0-9a-f]{4,64}_[A-Za-z0-9_-]{8,}"), HIDDEN),
    (("eyj",), re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*"), HIDDEN),
    # A header as it is sent takes the rest of its line.
    (
        ("authori", "cookie"),
        re.compile(r"""((?:authori[sz]ation|cookie)\s*[:=]\s*)[^"'\s][^"'\r\n]*""", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (("bearer", "basic"), re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (("://",), re.compile(r"(://[^\s:/@'\"]{0,256}:)\S{0,256}@"), rf"\1{HIDDEN}@"),
    (("@",), re.compile(r"[^\s@<>\"'(),:;\[\]\\=]{1,64}@[^\s@<>\"'(),:;\[\]\\=]{1,250}\.\w{2,}"), HIDDEN),
)
"""What is looked for where one of those stands, in small letters, and what is put in its place. None looks further than
a bounded way, or than its line."""

_SECRETS_NAME: Final = re.compile(
    rf"""{_HIDES_WHAT_FOLLOWS}{_KEYED}|[(\[]b?\\*["'][a-z-]{{0,20}}(?:authori[sz]ation|cookie|api-key)\\*["'],\s*""",
    re.IGNORECASE,
)
"""The latter of a header that is a pair."""
_BUYERS_NAME: Final = re.compile(rf"{_BUYER_WORD}{_KEYED}", re.IGNORECASE)
_BUYERS: Final = re.compile(
    r"""(?:\b(?:buyer|(?:default_?)?(?:shipping|billing)_?address(?:_?list)?|address_?details)\b\\*["']?\s*[:=]\s*"""
    r"""\w*|\b(?:Permission|Session)?Buyer|\b(?:Account)?Address(?:Details|WithId)?)(?=[({\[])""",
    re.IGNORECASE,
)
"""What begins a buyer or an address, in JSON or as Python shows it; what follows is hidden up to the bracket's end."""

_NAMED: Final = re.compile(rf"\bname{_KEYED}", re.IGNORECASE)

_PLAIN: Final = (bool, int, float, Decimal, date, timedelta, UUID, Enum, type(None))
"""Kinds of values in which nothing can stand."""


class Redaction:
    """Hides what no log may show.

    Args:
        secrets: of this process, hidden wherever they stand, as they are or as JSON, Python and addresses write them.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms_of(secret) if len(form) >= SHORTEST_SECRET}
        self._secrets = sorted(forms, key=len, reverse=True)

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> dict[str, Any]:  # Any: what is logged
        """The processor."""
        return {name: value if name == _ERROR else self._field(name, value) for name, value in event.items()}

    def text(self, text: str) -> str:
        """A text without what may not be shown."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        small = text.lower()
        found = {word for word in _SUSPECTS if word in small}
        if not found:
            return text
        if "-----" in found:
            text = _without_private_keys(text)
        is_of_a_buyer = not found.isdisjoint(_BUYERS_SUSPECTS) and (
            _BUYERS.search(text) is not None or _BUYERS_NAME.search(text) is not None
        )
        if is_of_a_buyer:
            for names in (_BUYERS, _BUYERS_NAME, _NAMED):
                text = _without_what_follows(names, text)
        if not found.isdisjoint(_SECRETS_SUSPECTS):
            text = _without_what_follows(_SECRETS_NAME, text)
        for suspects, look, instead in _LOOKS:
            if not found.isdisjoint(suspects):
                text = look.sub(instead, text)
        return text

    def _field(self, name: object, value: Any) -> Any:  # Any: whatever is logged
        kind = _kind_of(name) if isinstance(name, str) else None
        if kind is not None and value not in (None, "", True, False):
            return HIDDEN
        return self._value(value)

    def _value(self, value: Any) -> Any:  # Any: whatever is logged
        if isinstance(value, str):
            return (
                self.text(value) if type(value) is str else value if isinstance(value, Enum) else self.text(str(value))
            )
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, Mapping):
            has_buyer = any(isinstance(name, str) and _kind_of(name) == _BUYER for name in value)
            return {
                self._value(name): HIDDEN
                if has_buyer and name == _NAME and item is not None
                else self._field(name, item)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in _pairs(value)]
        # As the renderers would write it, who would do so after this.
        return self.text(repr(value))


_ERROR: Final = "exc_info"
"""The field of an exception that its renderer writes, and has redacted, by itself."""

_SECRET: Final = "secret"  # noqa: S105 - a kind of field
_BUYER: Final = "buyer"


@lru_cache(maxsize=4096)
def _kind_of(name: str) -> str | None:
    """Whether a field holds secrets or what concerns a buyer, by its name."""
    joined = re.sub(r"[^a-z0-9]", "", name.lower())
    if joined.endswith(_SECRET_ENDS):
        return _SECRET
    return _BUYER if joined in _OF_A_BUYER else None


def _pairs(value: Iterable[Any]) -> Iterator[Any]:  # Any: whatever is logged
    """The items; of headers, which come as pairs, the second without what it is the secret of."""
    items = list(value)
    if len(items) == 2:  # noqa: PLR2004 - a pair
        name = items[0].decode(errors="replace") if isinstance(items[0], bytes) else items[0]
        if isinstance(name, str) and isinstance(items[1], str | bytes) and _kind_of(name) is not None:
            items[1] = HIDDEN
    yield from items


def _without_private_keys(text: str) -> str:
    hidden = _BEGIN.sub(HIDDEN, text)
    ends = [found.end() for found in _END.finditer(hidden)]
    # What stands before an end without a beginning is the rest of one that was cut.
    return f"{HIDDEN}{hidden[ends[-1] :]}" if ends else hidden


def _without_what_follows(names: re.Pattern[str], text: str) -> str:
    """Without the value behind each name, whatever its form."""
    kept, since = [], 0
    for found in names.finditer(text):
        if found.start() < since:
            continue
        end = _end_of_value(text, found.end())
        if text[found.end() : end] != HIDDEN:
            kept += [text[since : found.end()], HIDDEN]
            since = end
    return "".join([*kept, text[since:]]) if kept else text


def _end_of_value(text: str, begin: int) -> int:
    """Behind a value: in quotes, in brackets, or one word; the text's end where quotes or brackets do not end."""
    if text.startswith(HIDDEN, begin):
        return begin + len(HIDDEN)
    opening = _OPENING.match(text, begin)
    if opening is not None:
        return _end_of_quotes(text, opening.end(), backslashes=len(opening[1]), quote_mark=opening[2])
    if text[begin : begin + 1] in {"(", "[", "{"}:
        return _end_of_bracket(text, begin)
    word = _BARE.match(text, begin)
    return begin if word is None else word.end()


def _end_of_quotes(text: str, begin: int, *, backslashes: int, quote_mark: str) -> int:
    """Behind the quote that ends what one has begun; the text's end where none does."""
    at = text.find(quote_mark, begin)
    while at != -1:
        first = at
        while first > begin and text[first - 1] == "\\":
            first -= 1
        if _ends(at - first, backslashes):
            return at + 1
        at = text.find(quote_mark, at + 1)
    return len(text)


def _ends(found: int, backslashes: int) -> bool:
    """Whether a quote behind so many backslashes ends what one behind others has begun.

    In a JSON text that is a text inside of another, a quote has one, one that is quoted three, and each backslash is
    written as four; without such nesting none, one and two.
    """
    return found % (2 * (backslashes + 1)) == backslashes


def _end_of_bracket(text: str, begin: int) -> int:
    """Behind the bracket that ends what one begins; the text's end where none does. Brackets in quotes do not count."""
    quote_of: tuple[str, int] | None = None
    depth = backslashes = 0
    for at in range(begin, len(text)):
        letter = text[at]
        if letter == "\\":
            backslashes += 1
            continue
        if letter in "\"'":
            if quote_of is None:
                quote_of = (letter, backslashes)
            elif quote_of[0] == letter and _ends(backslashes, quote_of[1]):
                quote_of = None
        elif quote_of is None and letter in "([{":
            depth += 1
        elif quote_of is None and letter in ")]}":
            depth -= 1
            if depth == 0:
                return at + 1
        backslashes = 0
    return len(text)


def _forms_of(secret: str) -> Iterator[str]:
    """As it is, and as it is written into JSON, Python's texts and addresses."""
    yield secret
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield from (line for line in secret.splitlines() if "-----" not in line)


def password_of(url: str) -> Iterator[str]:
    """The password in a database's address, as it stands there and as it is."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}
