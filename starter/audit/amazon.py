"""Asking Amazon how a charge or a charge permission stands, without being in the workers' way.

There are two ways. Through the workers' own queues, of which the Temporal server limits the rate for all who use them:
an audit's questions have the lowest priority there, so a worker's call is always made before them, and both together
are never more than Amazon takes. Or directly, where no worker runs, at a share of what Amazon takes. Either way a share
of each operation's limit is left alone, so that nothing of a subscription ever waits for an audit.

What Amazon does not answer is asked for again, for a while; then it is told as not known, and never as a finding.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar
from uuid import uuid4

from temporalio.client import ActivityFailureError, Client
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.errors import AmazonPayError, ApiError
from perennial_billing.activities.accounts import AccountClients, AccountUnusableError, OneAccount
from perennial_billing.activities.answers import charge_as_read, permission_answer
from perennial_billing.activities.signatures import AmazonPayActivities, ReadCharge, ReadPermission
from perennial_billing.billing.contract.terms import DEFAULT_ACCOUNT
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome, PermissionAnswer, PermissionState
from perennial_billing.billing.protocol.commands import Precedence
from perennial_billing.billing.protocol.foreign import as_prose
from perennial_billing.starter.pacing import Pace
from perennial_billing.workflows.names import Call, call_queue, in_summary

Answer = TypeVar("Answer")

SHARE: Final = 0.5
"""Of each operation's limit, that an audit uses when nobody says otherwise."""

PATIENCE: Final = timedelta(minutes=15)
"""So long is waited for an answer of Amazon's, a busy queue included."""

IMPATIENCE: Final = timedelta(seconds=30)
"""So long, once Amazon has not answered for as long as the patience lasts: it may be away for the day."""

_ATTEMPT_TIMEOUT: Final = timedelta(seconds=60)
_HEARTBEAT_TIMEOUT: Final = timedelta(seconds=12)
"""As for the same calls of a subscription."""

_RETRY: Final = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=1))
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0


class NotKnownError(Exception):
    """Amazon did not say what was asked. The message says why, in one line."""


class Amazon(Protocol):
    """Says what really happened."""

    async def permission(self, charge_permission_id: str, account: str = DEFAULT_ACCOUNT) -> PermissionAnswer:
        """How a charge permission of a merchant account stands.

        Raises:
            NotKnownError: that is not known.
        """
        ...

    async def charge(self, charge_id: str, account: str = DEFAULT_ACCOUNT) -> ChargeAnswer:
        """How a charge of a merchant account stands; `refused` with `ResourceNotFound` where Amazon knows no such id.

        Raises:
            NotKnownError: that is not known.
        """
        ...


class _Patience:
    """How long one more answer is waited for."""

    def __init__(self, longest: timedelta) -> None:
        self._longest = longest
        self._is_silent = False

    @property
    def left(self) -> timedelta:
        """For one answer."""
        return min(self._longest, IMPATIENCE) if self._is_silent else self._longest

    def answered(self) -> None:
        """Amazon is there."""
        self._is_silent = False

    def exhausted(self) -> None:
        """One answer was waited for in vain."""
        self._is_silent = True


class _Paces:
    """How fast each operation is called for each account: Amazon limits them one by one."""

    def __init__(self, rates: Mapping[Call, float], share: float) -> None:
        self._rates, self._share = rates, share
        self._paces: dict[tuple[Call, str], Pace] = {}

    def of(self, call: Call, account: str) -> Pace:
        """Of an operation for an account."""
        if (call, account) not in self._paces:
            self._paces[call, account] = Pace(self._rates[call] * self._share)
        return self._paces[call, account]


class ThroughWorkers:
    """Through the queues of the workers' calls.

    Args:
        client: of the Temporal server.
        task_queue: of the workers.
        rates: how often each operation may be called in a second for an account, by the workers and the audit together.
        share: of that, for the audit.
        patience: how long an answer is waited for.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        rates: Mapping[Call, float],
        *,
        share: float = SHARE,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._paces = _Paces(rates, share)
        self._patience = _Patience(patience)

    async def permission(self, charge_permission_id: str, account: str = DEFAULT_ACCOUNT) -> PermissionAnswer:
        """See `Amazon.permission`."""
        request = ReadPermission(charge_permission_id=charge_permission_id)
        how = AmazonPayActivities.read_permission
        return _known_permission(await self._asked(Call.GET_CHARGE_PERMISSION, account, how, request, PermissionAnswer))

    async def charge(self, charge_id: str, account: str = DEFAULT_ACCOUNT) -> ChargeAnswer:
        """See `Amazon.charge`."""
        request = ReadCharge(charge_id=charge_id)
        how = AmazonPayActivities.read_charge
        return _known_charge(await self._asked(Call.GET_CHARGE, account, how, request, ChargeAnswer))

    async def _asked(
        self,
        call: Call,
        account: str,
        how: Callable[..., Any],  # Any: an activity
        request: ReadPermission | ReadCharge,
        kind: type[Answer],
    ) -> Answer:
        await self._paces.of(call, account).wait()
        try:
            answer: Answer = await self._client.execute_activity(
                how.__name__,
                request,
                id=f"audit-{uuid4().hex}",
                task_queue=call_queue(self._task_queue, call),
                result_type=kind,
                priority=Priority(priority_key=Precedence.AUDIT.value, fairness_key=account),
                schedule_to_close_timeout=self._patience.left,
                start_to_close_timeout=_ATTEMPT_TIMEOUT,
                heartbeat_timeout=_HEARTBEAT_TIMEOUT,
                retry_policy=_RETRY,
                summary=in_summary("An audit asks"),
            )
        except ActivityFailureError as error:
            self._patience.exhausted()
            raise NotKnownError(f"{call.value}: {_why(error)}") from None
        except RPCError as error:
            raise NotKnownError(f"{call.value}: Temporal does not answer: {as_prose(error.message)}") from None
        self._patience.answered()
        return answer


class Directly:
    """By a client of its own, where no worker runs.

    Args:
        client: signs and sends; or know the client of each merchant account.
        rates: how often Amazon takes each operation in a second.
        share: of that, for the audit.
        patience: how long an answer is waited for.
    """

    def __init__(
        self,
        client: AmazonPayClient | AccountClients,
        rates: Mapping[Call, float],
        *,
        share: float = SHARE,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._accounts = OneAccount(client) if isinstance(client, AmazonPayClient) else client
        self._paces = _Paces(rates, share)
        self._patience = _Patience(patience)

    async def permission(self, charge_permission_id: str, account: str = DEFAULT_ACCOUNT) -> PermissionAnswer:
        """See `Amazon.permission`."""
        pace = self._paces.of(Call.GET_CHARGE_PERMISSION, account)
        read = (await self._client(account)).charge_permissions.get
        try:
            permission = await self._asked(pace, lambda: read(charge_permission_id))
        except ApiError as error:
            refused = PermissionAnswer(state=PermissionState.UNKNOWN, refused=error.reason_code or "refused")
            return _known_permission(refused)
        return permission_answer(permission)

    async def charge(self, charge_id: str, account: str = DEFAULT_ACCOUNT) -> ChargeAnswer:
        """See `Amazon.charge`."""
        pace, read = self._paces.of(Call.GET_CHARGE, account), (await self._client(account)).charges.get
        try:
            charge = await self._asked(pace, lambda: read(charge_id))
        except ApiError as error:
            return _known_charge(ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code=error.reason_code))
        return charge_as_read(charge)

    async def _client(self, account: str) -> AmazonPayClient:
        try:
            return (await self._accounts.of(account)).client
        except AccountUnusableError as error:
            raise NotKnownError(str(error)) from None

    async def _asked(self, pace: Pace, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        loop = asyncio.get_running_loop()
        deadline, wait = loop.time() + self._patience.left.total_seconds(), _FIRST_WAIT
        while True:
            await pace.wait()
            try:
                answer = await ask()
            except AmazonPayError as error:
                if isinstance(error, ApiError) and not error.is_retryable:
                    self._patience.answered()
                    raise
                asked_for = error.retry_after_seconds if isinstance(error, ApiError) else None
                pause = max(wait, asked_for or 0)
                if not error.is_retryable or loop.time() + pause > deadline:
                    self._patience.exhausted()
                    raise NotKnownError(f"Amazon does not answer: {as_prose(str(error))}") from None
                await asyncio.sleep(pause)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                self._patience.answered()
                return answer


_NOT_FOUND: Final = "ResourceNotFound"


def _known_permission(answer: PermissionAnswer) -> PermissionAnswer:
    if answer.refused is not None:
        raise NotKnownError(f"Amazon does not show the charge permission: {answer.refused}")
    return answer


def _known_charge(answer: ChargeAnswer) -> ChargeAnswer:
    if answer.outcome is ChargeOutcome.REFUSED and answer.reason_code != _NOT_FOUND:
        raise NotKnownError(f"Amazon does not show the charge: {answer.reason_code}")
    return answer


def _why(error: ActivityFailureError) -> str:
    """What the worker said when it failed last; else that none has taken it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ApplicationError):
            return as_prose(cause.message)
        cause = cause.__cause__
    return "no worker has taken the question, or more is waiting than Amazon takes in that time"
