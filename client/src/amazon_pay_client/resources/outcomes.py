"""What came of a call where part of it stands in the HTTP head alone, so that it is no model of the wire."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from amazon_pay_client.answers import model_of, nothing
from amazon_pay_client.errors import InvalidAnswerError
from amazon_pay_client.models import CheckoutSession, MerchantAccount

if TYPE_CHECKING:
    from amazon_pay_client.outbound.library import httpx


@dataclass(frozen=True, slots=True)
class CompletedCheckout:
    """What completing a session came to.

    Attributes:
        session: holds the charge permission's id, and the charge's id where something was charged.
        authorization_is_pending: the answer was 202: the permission is there, and the charge is decided within 24
            hours. Wait for its notification, or read it again, before goods are sent.
    """

    session: CheckoutSession
    authorization_is_pending: bool


def read_completed(answer: "httpx.Response") -> CompletedCheckout:
    """The session of an answer, and whether it was 202."""
    return CompletedCheckout(model_of(CheckoutSession)(answer), answer.status_code == HTTPStatus.ACCEPTED)


@dataclass(frozen=True, slots=True)
class ClaimedAccount:
    """What claiming an account came to.

    Attributes:
        location: the page on which the merchant takes over the account, as Amazon sent it; None where Amazon
            answered 200 and there is nothing left to do there.
    """

    location: str | None


def read_claimed(answer: "httpx.Response") -> ClaimedAccount:
    """Where an answer redirects to.

    Raises:
        InvalidAnswerError: it redirects without saying where, or is something else.
    """
    location = answer.headers.get("location")
    if answer.status_code != HTTPStatus.SEE_OTHER:
        nothing(answer)
    elif not location:
        raise InvalidAnswerError("status 303: the answer does not say where to go", answer.status_code)
    return ClaimedAccount(location)


def read_updated(answer: "httpx.Response") -> MerchantAccount | None:
    """The account, or None of a 204."""
    return None if answer.status_code == HTTPStatus.NO_CONTENT else model_of(MerchantAccount)(answer)
