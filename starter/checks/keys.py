"""What the settings say of the account and its key pair. Nothing is asked of anybody but the key's own file.

Source of what Seller Central shows where: Amazon Pay API v2, "manually generating key pairs"; Amazon Pay's merchant
help, "finding your Amazon Pay keys and IDs".
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Environment, PrivateKeyError, Region, load_private_key
from amazon_pay_client.regions import endpoint_for, environment_of_key
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.starter.checks.check import Check, State

REGION: Final = "region"
PUBLIC_KEY_ID: Final = "public key id"
PRIVATE_KEY: Final = "private key"
ENVIRONMENT: Final = "the key's environment"
MERCHANT_ID: Final = "merchant id"

_LONGEST_KEY_ID: Final = 64
"""Characters; those that Amazon makes have about 32, and what is longer may be a key, which is not shown."""
_SOME_KEY_ID: Final = "SANDBOX-EXAMPLE"

_WHERE: Final = "Seller Central, Amazon Pay (Sandbox View), Integration Central"


def region(settings: Settings) -> Check:
    """Whether there is such a region."""
    variable = f"{PREFIX}REGION"
    try:
        found = Region.parse(settings.region)
    except ValueError:
        return Check(
            name=REGION,
            state=State.WRONG,
            found=f"{variable}: {settings.region!r} is no region of Amazon Pay",
            to_do="set that of the seller account: na, eu or jp",
        )
    try:
        endpoint = endpoint_for(_SOME_KEY_ID, found, origin=settings.amazon_pay_origin)
    except ValueError as error:  # its text repeats no credentials
        return Check(
            name=REGION,
            state=State.WRONG,
            found=f"{PREFIX}AMAZON_PAY_ORIGIN: {str(error).removeprefix('origin: ')}",
            to_do="unset it, unless a simulator is to stand in for Amazon",
        )
    return Check(name=REGION, state=State.DONE, found=f"{found.value}: {endpoint.origin}")


def public_key_id(settings: Settings) -> Check:
    """Whether one is given, and can be one."""
    variable = f"{PREFIX}PUBLIC_KEY_ID"
    given = settings.public_key_id
    if not given:
        return Check(
            name=PUBLIC_KEY_ID,
            state=State.MISSING,
            found=f"{variable} is not set",
            to_do=f"in {_WHERE}, API keys, Create keys: have a key pair made, or hand in the public key of your own; "
            f"set {variable} to the id that is shown then",
        )
    if len(given) > _LONGEST_KEY_ID or not _is_a_key_id(given):
        return Check(
            name=PUBLIC_KEY_ID,
            state=State.WRONG,
            found=f"{variable} holds what no id does",  # perhaps the key itself: never shown
            to_do=f"set it to the id alone, as {_WHERE}, API keys, shows it, such as SANDBOX-AEXAMPLE",
        )
    return Check(name=PUBLIC_KEY_ID, state=State.DONE, found=given)


def private_key(settings: Settings) -> tuple[Check, RSAPrivateKey | None]:
    """Whether it can be read and can sign for Amazon Pay; with the key, where it can."""
    path, text = f"{PREFIX}PRIVATE_KEY_PATH", f"{PREFIX}PRIVATE_KEY"
    if settings.private_key is None and settings.private_key_path is None:
        missing = Check(
            name=PRIVATE_KEY,
            state=State.MISSING,
            found=f"neither {path} nor {text} is set",
            to_do=f"set {path} to the file (PEM) that was downloaded as the key pair was made; it is shown only once",
        )
        return missing, None
    passphrase = settings.private_key_passphrase
    try:
        key = load_private_key(settings.private_key_source, passphrase.get_secret_value() if passphrase else None)
    except StartupError as error:
        return _unusable(str(error), f"keep {path} and unset {text}"), None
    except PrivateKeyError as error:  # its text never holds key material
        variable = text if settings.private_key is not None else path
        to_do = f"set it to the private key of the pair whose public key {_WHERE} has, RSA with 2048 bits or more"
        return _unusable(f"{variable}: {error}", to_do), None
    return Check(name=PRIVATE_KEY, state=State.DONE, found=f"RSA, {key.key_size} bits"), key


def sandbox_key(public_key_id: str) -> Check:
    """Whether the key is one of the sandbox's. A live one is refused, whatever else is set.

    A prefix names the environment; an older id has none, and goes to `/sandbox/v2`, where Amazon knows it or does not
    (the official SDKs' path rule).
    """
    named = environment_of_key(public_key_id)
    if named is Environment.LIVE:
        return Check(
            name=ENVIRONMENT,
            state=State.WRONG,
            found=f"{PREFIX}PUBLIC_KEY_ID: {public_key_id} is a key of live, where real money moves",
            to_do=f"take a key of the sandbox: {_WHERE}, API keys",
        )
    if named is None:
        told = "an older id, without SANDBOX before it: Amazon is asked in the sandbox, and says whether it knows it"
        return Check(name=ENVIRONMENT, state=State.DONE, found=told)
    return Check(name=ENVIRONMENT, state=State.DONE, found="sandbox, by its name")


def key_of_environment(public_key_id: str, environment: Environment) -> Check:
    """Whether the key is one of the environment that is set: none is ever sent to the other."""
    if environment is Environment.SANDBOX:
        return sandbox_key(public_key_id)
    if environment_of_key(public_key_id) is Environment.SANDBOX:
        return Check(
            name=ENVIRONMENT,
            state=State.WRONG,
            found=f"{PREFIX}PUBLIC_KEY_ID: {public_key_id} is a key of the sandbox, and {PREFIX}ENVIRONMENT is live",
            to_do="take a key of live (Seller Central, Production View), or set the environment to sandbox",
        )
    return Check(name=ENVIRONMENT, state=State.DONE, found="live, where real money moves")


def merchant_id(settings: Settings) -> Check:
    """Whether it is given; in the sandbox the receiver does without, and takes the notifications of any merchant."""
    variable = f"{PREFIX}MERCHANT_ID"
    if settings.merchant_id:
        return Check(
            name=MERCHANT_ID,
            state=State.DONE,
            found=f"{settings.merchant_id}; a shop's button also names a store id (Integration Central), which is "
            "given to `plan checkout --store-id`",
            is_mandatory=False,
        )
    return Check(
        name=MERCHANT_ID,
        state=State.MISSING,
        found=f"{variable} is not set, so notifications for any merchant are taken, and no button can be signed",
        to_do=f"set it to the merchant id (seller id) that {_WHERE} shows",
        is_mandatory=False,
    )


def _is_a_key_id(text: str) -> bool:
    try:
        endpoint_for(text, Region.NA, environment_of_key(text) or Environment.SANDBOX)
    except ValueError:
        return False
    return True


def _unusable(found: str, to_do: str) -> Check:
    return Check(name=PRIVATE_KEY, state=State.WRONG, found=found, to_do=to_do)
