"""Who may do what: a bearer token, its scopes, and how often it may be used."""

import time
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from perennial_billing.ledger.api_keys import ApiKey, Scope, key_of
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.services import ServicesDep

KNOWN_FOR_SECONDS: Final = 10.0
"""How long a key is taken for valid without being looked up; so long may one be used that was just revoked."""

MOST_KNOWN: Final = 1_000

_bearer = HTTPBearer(auto_error=False, description="A key, made by `perennial keys make`.")


class Keys:
    """Looks keys up, and counts their use; of one process."""

    def __init__(self, requests_per_minute: int) -> None:
        self._limit = parse(f"{requests_per_minute}/minute")
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._known: dict[str, tuple[float, ApiKey]] = {}

    async def admit(self, services: ServicesDep, token: str) -> ApiKey:
        """The key that a token is of.

        Raises:
            ProblemError: it is none, or is used too often.
            LedgerError: that cannot be found out now.
        """
        now = time.monotonic()
        known = self._known.get(token)
        if known is None or known[0] < now:
            key = await key_of(services.ledger, token)
            if key is None:
                self._known.pop(token, None)
                raise _unauthorized("the bearer token is no key, or one that was revoked")
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[token] = (now + KNOWN_FOR_SECONDS, key)
        if not await self._limiter.hit(self._limit, known[1].id):
            window = await self._limiter.get_window_stats(self._limit, known[1].id)
            raise ProblemError(
                429,
                "too-often",
                "The key is used too often",
                f"{self._limit} are taken of a key; wait, and send it again",
                headers={"Retry-After": str(max(1, ceil(window.reset_time - time.time())))},
            )
        return known[1]


def allowing(scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """A dependency: the key of a request, which must have a scope."""

    async def admitted(
        request: Request,
        services: ServicesDep,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> ApiKey:
        if given is None:
            raise _unauthorized("no key was sent: Authorization: Bearer perennial_...")
        keys: Keys = request.app.state.keys
        key = await keys.admit(services, given.credentials)
        request.state.api_key = key.name
        if scope not in key.scopes:
            has = ", ".join(sorted(key.scopes)) or "none"
            detail = f"the key {key.name!r} lacks the scope {scope.value}; it has {has}"
            raise ProblemError(403, "not-allowed", "The key does not allow it", detail)
        return key

    return admitted


Reader = Annotated[ApiKey, Depends(allowing(Scope.READ))]
Actor = Annotated[ApiKey, Depends(allowing(Scope.ACT))]
Refunder = Annotated[ApiKey, Depends(allowing(Scope.REFUND))]
Admin = Annotated[ApiKey, Depends(allowing(Scope.ADMIN))]


def _unauthorized(detail: str) -> ProblemError:
    headers = {"WWW-Authenticate": 'Bearer realm="perennial"'}
    return ProblemError(401, "no-key", "A key is needed", detail, headers=headers)
