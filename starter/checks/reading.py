"""Asks Amazon Pay for what does not exist, once: nothing is changed, and the answer shows what Amazon makes of the
signature."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Environment, Region, clock
from amazon_pay_client.answers import error_of, json_answer
from amazon_pay_client.errors import ApiError, InvalidAnswerError
from amazon_pay_client.outbound.bounds import Bounds
from amazon_pay_client.outbound.client import bounded_client
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.regions import endpoint_for
from amazon_pay_client.signing import SignatureAuth
from amazon_pay_client.time_limits import DEFAULT_TIME_LIMITS
from perennial_billing.starter.checks.answers import Heard, NotHeard

_NOBODYS: Final = "chargePermissions/C0{digit}-0000000-0000000"
_DIGITS: Final = {Region.NA: 1, Region.EU: 2, Region.JP: 3}
"""As ids of each region bear them in samples."""


async def heard_of_amazon(
    public_key_id: str,
    private_key: RSAPrivateKey,
    region: Region,
    origin: str | None = None,
    environment: Environment = Environment.SANDBOX,
    seconds: float = DEFAULT_TIME_LIMITS.read_seconds,
) -> Heard | NotHeard:
    """What Amazon answers to Get Charge Permission of an id that nobody has.

    Args:
        public_key_id: of the key pair, of that environment.
        private_key: of the same pair.
        region: the account's.
        origin: scheme and host of a simulator instead of Amazon's.
        environment: which is asked.
        seconds: until it counts as no answer.

    Raises:
        ValueError: the key id is one of another environment or none at all, or the origin is none.
    """
    endpoint = endpoint_for(public_key_id, region, environment, origin)
    url = httpx.URL(endpoint.url(_NOBODYS.format(digit=_DIGITS[region])))
    auth = SignatureAuth(public_key_id, private_key, region)
    async with bounded_client(at_once=1, bounds=Bounds(seconds=seconds)) as http:
        sent = clock.now()
        try:
            answer = await http.get(url, headers=auth.headers_for("GET", url, {}, b""))
        except httpx.TimeoutException:
            return NotHeard(host=endpoint.origin, why=f"no answer within {seconds:g} s")
        except httpx.HTTPError as error:
            return NotHeard(host=endpoint.origin, why=f"no answer ({type(error).__name__}: {error})")
        received = clock.now()
    return Heard(
        host=endpoint.origin,
        error=_error_of(answer),
        date=answer.headers.get("date"),
        sent=sent,
        received=received,
    )


def _error_of(answer: httpx.Response) -> ApiError | InvalidAnswerError | None:
    """As the client reads it; a success has to be JSON as well, and a page of somebody else's is none."""
    if not answer.is_success:
        return error_of(answer)
    try:
        found = json_answer(answer)
    except InvalidAnswerError as error:
        return error
    is_permission = isinstance(found.body, dict) and "chargePermissionId" in found.body
    return None if is_permission else InvalidAnswerError("the answer is no charge permission", answer.status_code)
