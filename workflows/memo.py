"""What a subscription is started with beside its input, so that a repeated start recognises it without a worker."""

import hashlib
from typing import Final

from billing.terms import Terms

TERMS_MEMO: Final = "terms"
ANCHOR_MEMO: Final = "anchor"


def initial_memo(terms: Terms) -> dict[str, str]:
    """The memo of a new subscription."""
    return {TERMS_MEMO: digest_of(terms), ANCHOR_MEMO: terms.anchor.isoformat()}


def digest_of(terms: Terms) -> str:
    """Recognises the same terms; the anchor is compared by itself."""
    return hashlib.sha256(terms.model_dump_json(exclude={"anchor"}).encode()).hexdigest()
