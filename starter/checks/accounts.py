"""Whether Amazon takes what is signed with an account's key: one read of an object that nobody has."""

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import Environment, Region
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.checks import answers
from perennial_billing.starter.checks.check import Check
from perennial_billing.starter.checks.reading import heard_of_amazon


async def account_checks(
    public_key_id: str, private_key: RSAPrivateKey, region: Region, settings: Settings
) -> list[Check]:
    """That Amazon answers, that it takes the signature, and that this machine's clock is right.

    Args:
        public_key_id: of the key pair.
        private_key: of the same pair.
        region: of the seller account.
        settings: of the process, which name the environment, and a simulator in Amazon's place.

    Raises:
        ValueError: the key id is one of another environment, or none at all.
    """
    heard = await heard_of_amazon(
        public_key_id, private_key, region, settings.amazon_pay_origin, Environment(settings.environment.value)
    )
    return [answers.answered(heard), answers.signature(heard, public_key_id), answers.clock_of(heard)]
