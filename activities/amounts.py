"""Asking the merchant what a period costs, for plans whose amounts are decided when they fall due.

The endpoint is told which period, and answers with `{"amount": {"amount": "12.34", "currency": "USD"}}`. The question
is signed as notices are; its id names the period, so an endpoint that is asked again can answer the same.
"""

import json
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from amazon_pay_client.outbound.errors import AnswerTooLargeError
from amazon_pay_client.outbound.library import httpx
from perennial_billing.activities.signatures import AmountActivities, AmountQuestion
from perennial_billing.activities.signed_posts import SignedPosts
from perennial_billing.billing.money import Money
from perennial_billing.billing.parts.renewal import check_decided
from perennial_billing.billing.refusals import Refused, refusal_of

NO_AMOUNT: Final = "NoAmount"
"""The type of the error when the endpoint gave no amount that can be charged."""

LARGEST_ANSWER_BYTES: Final = 64 * 1024

LONGEST_SHOWN: Final = 40
"""Characters of what the endpoint answered, in the reason why that is no amount."""

LONGEST_WHY: Final = 240
"""Characters of that reason: it stands in a timer's summary, which Temporal bounds at 400 bytes."""

_NAMES: Final = {"": "amount", "amount.amount": "amount", "amount.currency": "currency"}
"""How the reason calls the fields of an answer."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)

    amount: Money


class AmountHook(AmountActivities):
    """Asks.

    Args:
        posts: to the merchant's endpoint.
    """

    def __init__(self, posts: SignedPosts) -> None:
        self._posts = posts

    @activity.defn
    async def decide_amount(self, question: AmountQuestion) -> Money:
        """See `AmountActivities.decide_amount`.

        Raises:
            ApplicationError: of type `NoAmount`; it is asked again.
        """
        body = json.dumps(
            {
                "type": "amount.requested",
                "timestamp": question.due.isoformat(),
                "data": question.model_dump(mode="json"),
            }
        )
        identifier = f"amount-{question.charge_permission_id}-{question.period}"
        try:
            answer = await self._posts.post(identifier, body)
        except AnswerTooLargeError as error:
            raise _no_amount(str(error)) from None
        except httpx.HTTPError as error:
            raise _no_amount(f"no answer: {type(error).__name__}") from None
        if not answer.is_success:
            raise _no_amount(f"status {answer.status_code}")
        if len(answer.content) > LARGEST_ANSWER_BYTES:
            raise _no_amount(f"the answer is larger than {LARGEST_ANSWER_BYTES} bytes")
        try:
            amount = _Answer.model_validate_json(answer.content).amount
        except ValidationError as error:
            raise _no_amount(_why_not(refusal_of(error, _NAMES), answer.content)) from None
        try:
            check_decided(amount, question.at_most)
        except Refused as refused:
            raise _no_amount(str(refused)) from None
        return amount


def _why_not(refused: Refused, content: bytes) -> str:
    """What the endpoint answered and what is accepted: of what is no JSON its beginning, of a long text as well."""
    given = refused.value or ascii(content.decode(errors="replace"))
    short = given if len(given) <= LONGEST_SHOWN else f"{given[:LONGEST_SHOWN]}..."
    return str(Refused(refused.field, short, refused.accepted))


def _no_amount(why: str) -> ApplicationError:
    return ApplicationError(f"your endpoint has not said what it costs: {why}"[:LONGEST_WHY], type=NO_AMOUNT)
