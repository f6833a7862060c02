"""Asking for something, and waiting a while for what becomes of it."""

import asyncio
from datetime import timedelta
from typing import Final
from uuid import uuid4

from temporalio.client import (
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import digest_of
from perennial_billing.billing.requests import Asker, Request
from perennial_billing.starter.client.explaining import explained, is_lost, refusal
from perennial_billing.starter.errors import (
    NotAnsweredError,
    NoWorkerError,
    RequestRefusedError,
    SubscriptionEndedError,
)
from perennial_billing.starter.places import CALL_TIMEOUT, Place
from perennial_billing.workflows.messages import Answer, Outcome, Refusal, Underway, Unknown

FIRST_LOOK: Final = timedelta(milliseconds=20)
LONGEST_LOOK: Final = timedelta(seconds=1)
"""How soon, and how seldom, is looked for what became of a request."""

MOST_LOST: Final = 3
"""So often one is sent before it is told that no worker has taken it."""


def new_request_id() -> str:
    """An id for a request that has none: repeated with it, the request asks for nothing new."""
    return uuid4().hex


async def ask_at(place: Place, request: Request, request_id: str, asker: Asker) -> Outcome:
    """Asks for something where it can be done.

    Args:
        place: where.
        request: what is wanted.
        request_id: asking again with the same one gives the first answer, and asks for nothing new.
        asker: who asks, and why.

    Raises:
        SubscriptionError: see `Subscriptions.ask`.
    """
    outcome = await _accepted(place, request, request_id, asker)
    deadline, wait = asyncio.get_running_loop().time() + CALL_TIMEOUT.total_seconds(), FIRST_LOOK
    while isinstance(outcome, Underway):
        if asyncio.get_running_loop().time() > deadline:
            raise NotAnsweredError(place.charge_permission_id, request_id, accepted=True)
        await asyncio.sleep(wait.total_seconds())
        wait = min(2 * wait, LONGEST_LOOK)
        outcome = await _outcome(place, request_id)
    if isinstance(outcome, Refusal):
        raise RequestRefusedError(place.charge_permission_id, outcome.refused)
    return outcome


async def _accepted(place: Place, request: Request, request_id: str, asker: Asker) -> Outcome:
    for _ in range(MOST_LOST):
        try:
            answer = await place.take(request, request_id, asker)
        except WorkflowUpdateFailedError as error:
            if is_lost(error):
                continue
            raise refusal(place.charge_permission_id, error) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            break
        except RPCError as error:
            return await _answered_before_it_ended(place, request_id, error)
        return _of_this_request(place, request, request_id, answer)
    raise NotAnsweredError(place.charge_permission_id, request_id, accepted=False)


def _of_this_request(place: Place, request: Request, request_id: str, answer: Answer) -> Outcome:
    if answer.wish != digest_of(request):
        why = "it is that of another request; each request has its own"
        raise RequestRefusedError(place.charge_permission_id, Refused("request_id", request_id, why, Kind.CONFLICT))
    return answer.outcome


async def _answered_before_it_ended(place: Place, request_id: str, error: RPCError) -> Outcome:
    """What became of a request that an ended subscription had taken; where it had not, why it cannot any more."""
    why = explained(error, place.charge_permission_id)
    if isinstance(why, NoWorkerError):
        raise NotAnsweredError(place.charge_permission_id, request_id, accepted=False) from error
    if not isinstance(why, SubscriptionEndedError):
        raise why from error
    outcome = await _outcome(place, request_id)
    if isinstance(outcome, Unknown):
        raise why from error
    return outcome


async def _outcome(place: Place, request_id: str) -> Outcome:
    try:
        answer = await place.look(request_id)
    except (RPCError, WorkflowQueryRejectedError) as error:
        why = explained(error, place.charge_permission_id)
        if isinstance(why, NoWorkerError):
            raise NotAnsweredError(place.charge_permission_id, request_id, accepted=True) from error
        raise why from error
    return answer.outcome
