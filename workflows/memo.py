"""What a subscription is started with beside its input, so that a repeated start recognises it without a worker.

What was agreed is kept as it was written down, and compared by meaning: a later release that knows one more optional
field reads the older terms with its default, and finds them the same.
"""

from typing import Final

from perennial_billing.billing.contract.terms import Terms

TERMS_MEMO: Final = "terms"
FIRST_CHARGE_MEMO: Final = "first_charge"


def initial_memo(terms: Terms) -> dict[str, Terms]:
    """The memo of a new subscription."""
    return {TERMS_MEMO: terms}


def first_charge_memo(charge_id: str | None) -> dict[str, str]:
    """What is added to the memo of a subscription that began with a checkout's own charge: it is no part of the terms,
    and a start with another one means something else."""
    return {FIRST_CHARGE_MEMO: charge_id} if charge_id else {}


def differing(running: Terms, wanted: Terms, *, anchor_was_given: bool) -> list[str]:
    """The names of what was agreed otherwise, in plain words; empty where the same is meant. Which life it is was not
    agreed on: whoever starts one does not know it.

    Args:
        running: what the running subscription was started with.
        wanted: what it is to be started with.
        anchor_was_given: False where the anchor only is the moment of the call.
    """
    return [
        name.replace("_", " ")
        for name in Terms.model_fields
        if name != "life" and (name != "anchor" or anchor_was_given) and getattr(running, name) != getattr(wanted, name)
    ]
