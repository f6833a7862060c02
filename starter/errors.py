"""What can go wrong between a merchant and a subscription.

SubscriptionError
├── SubscriptionNotFoundError   there is none for that charge permission
├── SubscriptionEndedError      it has ended, so nothing can be asked of it any more
├── SubscriptionConflictError   it was started with other terms
├── RequestRefusedError         a rule said no; `refused` says which field, which value, what is accepted
├── NotAnsweredError            it was asked, and nobody has answered yet: ask again with `request_id`
├── NotReadError                Amazon did not show what is to be known first: nothing was begun, ask again
├── NoTestClockError            no time is skipped here: it is live, or the Temporal server cannot
├── NotSettledError             something is under way at a date, and does not end, so that time is not moved on
├── TemporalUnavailableError    the Temporal server does not answer now: ask again
└── NoWorkerError               nobody is there to answer a question; the subscription is safe
"""

from perennial_billing.billing.refusals import Refused


class SubscriptionError(Exception):
    """A request about a subscription that cannot be fulfilled. The message says which, why, and what to do."""


class SubscriptionNotFoundError(SubscriptionError):
    """There is no subscription for that charge permission."""


class SubscriptionConflictError(SubscriptionError):
    """A subscription for that charge permission was started with other terms."""


class SubscriptionEndedError(SubscriptionError):
    """The subscription has ended, so nothing can be asked of it any more."""


class RequestRefusedError(SubscriptionError):
    """A rule said no, and nothing was changed.

    Args:
        charge_permission_id: whose subscription.
        refused: which field, which value, and what is accepted.
    """

    def __init__(self, charge_permission_id: str, refused: Refused) -> None:
        super().__init__(f"charge permission {charge_permission_id}: {refused}")
        self.refused = refused


class NotAnsweredError(SubscriptionError):
    """It was asked, and is not answered yet. That is no failure: asking again with the same id gives the answer.

    Args:
        charge_permission_id: whose subscription.
        request_id: the id to ask again with.
        accepted: the subscription has taken it, and Amazon has not answered; else no worker was there to take it.
    """

    def __init__(self, charge_permission_id: str, request_id: str, *, accepted: bool) -> None:
        why = "it was accepted, and Amazon has not answered yet"
        if not accepted:
            why = "it was asked, and no worker has answered yet; one that starts soon still carries it out"
        super().__init__(
            f"charge permission {charge_permission_id}: {why}: ask again with the request id {request_id}, which asks "
            "for nothing new"
        )
        self.request_id, self.accepted, self.why = request_id, accepted, why


class NotReadError(SubscriptionError):
    """Amazon did not answer what is to be known before something begins; nothing was begun, so ask again."""


class NoTestClockError(SubscriptionError):
    """No time is skipped here: it is live, or the Temporal server cannot."""


class NotSettledError(SubscriptionError):
    """Something is under way at a date of a test clock, and does not end, so that time is not moved on."""


class HinderedError(SubscriptionError):
    """Its workflow is there, and makes no progress: it is paused in Temporal, or its workers fail at it."""


class TemporalUnavailableError(SubscriptionError):
    """The Temporal server does not answer now, or has too much to do; whether it took what was asked is not known."""


class NoWorkerError(SubscriptionError):
    """The subscription is safe, but no worker is running that could answer."""
