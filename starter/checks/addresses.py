"""What the answer of an address of the merchant's means: of an endpoint for notices, and of the receiver of Amazon's
notifications. Nothing is asked here.

Neither is sent anything that it could take for genuine. An endpoint is asked by HEAD, and the receiver by GET, which by
HTTP's own rules change nothing (RFC 9110, section 9.2.1).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from perennial_billing.starter.checks.check import Check, State

RECEIVER: Final = "notifications' address"

EXPIRES_SOON: Final = timedelta(days=14)
"""A certificate that is renewed by itself is so a month before; one that is not, has to be noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """An answer over HTTP.

    Attributes:
        status: of it.
        allows: its `Allow` header.
        expires: when the certificate of the way to it does (UTC); None without TLS.
    """

    status: int
    allows: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotReached:
    """There was no answer.

    Attributes:
        why: in a few words.
    """

    why: str


def endpoint(name: str, url: str, answer: Reached | NotReached, *, is_enabled: bool = True) -> Check:
    """Whether notices can arrive there.

    Args:
        name: the endpoint's id.
        url: its address.
        answer: to HEAD.
        is_enabled: whether it is sent anything now.
    """
    named = f"endpoint {name}"
    if not is_enabled:
        return Check(
            name=named,
            state=State.WRONG,
            found=f"{url} is disabled, and what comes is kept for it",
            to_do=f"`perennial endpoints enable {name}` when it is mended, then `perennial notices resend`",
            is_mandatory=False,
        )
    trouble = _trouble_of(named, url, answer)
    if trouble is not None or isinstance(answer, NotReached):
        return trouble or _unreached(named, url, "it was not asked")
    found = f"{url} answers {answer.status} to HEAD{_until(answer)}"
    if answer.status == HTTPStatus.NOT_FOUND:
        found += ", as where it takes POST alone, or the path is another"
    return Check(
        name=named, state=State.DONE, found=f"{found}; `perennial endpoints test {name}` sends it a signed sample"
    )


def unknown_receiver() -> Check:
    """Nobody said where it is reached."""
    return Check(
        name=RECEIVER,
        state=State.NOT_TRIED,
        found="which address Seller Central has is not said here; --ipn-url names it",
        is_mandatory=False,
    )


def receiver(url: str, answer: Reached | NotReached, *, path: str) -> Check:
    """Whether the address that Seller Central has leads to the receiver, as far as it shows from this machine.

    Args:
        url: the address.
        answer: to GET, which the receiver refuses and names POST.
        path: where the receiver listens.
    """
    if url.startswith("http:"):
        return Check(
            name=RECEIVER,
            state=State.WRONG,
            found=f"{url} is in the open, and Amazon posts over https alone",
            to_do="let a proxy with a certificate lead to the receiver, and give Seller Central that address",
        )
    trouble = _trouble_of(RECEIVER, url, answer)
    if trouble is not None or isinstance(answer, NotReached):
        return trouble or _unreached(RECEIVER, url, "it was not asked")
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED and "POST" in answer.allows:
        return Check(name=RECEIVER, state=State.DONE, found=f"{url} takes POST{_until(answer)}, seen from here")
    return Check(
        name=RECEIVER,
        state=State.WRONG,
        found=f"{url} answers {answer.status} and not as the receiver does",
        to_do=f"let the proxy pass it on to {path} of the receiver, without a sign-in or a redirect before it",
    )


def _trouble_of(name: str, url: str, answer: Reached | NotReached) -> Check | None:
    if isinstance(answer, NotReached):
        return _unreached(name, url, answer.why)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and answer.status != HTTPStatus.NOT_IMPLEMENTED:
        return Check(
            name=name,
            state=State.WRONG,
            found=f"{url} answers {answer.status}",
            to_do="look at its log, and whether what stands behind its proxy runs",
        )
    if answer.expires is not None and answer.expires - datetime.now(UTC) < EXPIRES_SOON:
        return Check(
            name=name,
            state=State.WRONG,
            found=f"the certificate of {url} expires on {answer.expires:%Y-%m-%d}",
            to_do="renew it: nothing is sent over a connection that cannot be believed",
            is_mandatory=False,
        )
    return None


def _unreached(name: str, url: str, why: str) -> Check:
    return Check(
        name=name,
        state=State.WRONG,
        found=f"{url} was asked: {why}",
        to_do="look at its name, its certificate and its firewall, from this machine's network",
    )


def _until(answer: Reached) -> str:
    return f", its certificate holds until {answer.expires:%Y-%m-%d}" if answer.expires is not None else ", without TLS"
