"""What a link is for, and what may be done by it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Purpose(StrEnum):
    """What a link is for."""

    OVERVIEW = "overview"
    """To see all, and to do whatever the merchant allows; as often as the buyer wants, until it expires."""
    CANCEL = "cancel"
    """To cancel, or to take that back; once."""
    PAUSE = "pause"
    """To pause, or to go on; once."""
    PAYMENT_METHOD = "payment-method"
    """To be led to Amazon's page on which the payment method is changed."""


class Permission(StrEnum):
    """What a merchant may allow."""

    CANCEL = "cancel"
    PAUSE = "pause"
    SKIP = "skip"
    PAYMENT_METHOD = "payment-method"


class Act(StrEnum):
    """What a buyer does to a subscription."""

    CANCEL = "cancel"
    UNDO_CANCEL = "undo-cancel"
    PAUSE = "pause"
    RESUME = "resume"
    SKIP = "skip"
    UNDO_SKIP = "undo-skip"


NEEDS: Final[Mapping[Act, Permission]] = MappingProxyType(
    {
        Act.CANCEL: Permission.CANCEL,
        Act.UNDO_CANCEL: Permission.CANCEL,
        Act.PAUSE: Permission.PAUSE,
        Act.RESUME: Permission.PAUSE,
        Act.SKIP: Permission.SKIP,
        Act.UNDO_SKIP: Permission.SKIP,
    }
)
"""What the merchant must allow for it: whoever may do something may take it back."""

BY: Final[Mapping[Purpose, frozenset[Act]]] = MappingProxyType(
    {
        Purpose.OVERVIEW: frozenset(Act),
        Purpose.CANCEL: frozenset({Act.CANCEL, Act.UNDO_CANCEL}),
        Purpose.PAUSE: frozenset({Act.PAUSE, Act.RESUME}),
        Purpose.PAYMENT_METHOD: frozenset(),
    }
)
"""What may be done by a link, of what the merchant allows."""

LEADS_TO_AMAZON: Final = frozenset({Purpose.OVERVIEW, Purpose.PAYMENT_METHOD})
SINGLE: Final = frozenset({Purpose.CANCEL, Purpose.PAUSE})
"""Links that are used up by what is done."""
