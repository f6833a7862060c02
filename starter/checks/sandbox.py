"""Everything that Amazon's sandbox needs, looked at in order."""

from collections.abc import AsyncIterator

from amazon_pay_client import Region
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.checks import answers, keys, notifications
from perennial_billing.starter.checks.check import Check, in_the_way, not_tried
from perennial_billing.starter.checks.reading import heard_of_amazon


async def sandbox_checks(settings: Settings, receiver: str) -> AsyncIterator[Check]:
    """Each as soon as it is known. Amazon is asked only where everything before is right, and never in live.

    Args:
        settings: of this process.
        receiver: where the receiver of notifications listens, or will.
    """
    by_settings = [keys.region(settings), keys.public_key_id(settings)]
    private_key, key = keys.private_key(settings)
    by_settings.append(private_key)
    if settings.public_key_id and not in_the_way(by_settings[1:2]):
        by_settings.append(keys.sandbox_key(settings.public_key_id))
    else:
        by_settings.append(not_tried(keys.ENVIRONMENT, because_of=f"a {keys.PUBLIC_KEY_ID}"))
    by_settings.append(keys.merchant_id(settings))
    for check in by_settings:
        yield check
    first = next(iter(in_the_way(by_settings)), None)
    if first is not None or key is None or not settings.public_key_id:
        for name in (answers.ANSWER, answers.SIGNATURE, answers.CLOCK):
            yield not_tried(name, because_of=first.name if first is not None else keys.PRIVATE_KEY)
    else:
        heard = await heard_of_amazon(
            settings.public_key_id, key, Region.parse(settings.region), settings.amazon_pay_origin
        )
        yield answers.answered(heard)
        yield answers.signature(heard, settings.public_key_id)
        yield answers.clock_of(heard)
    yield notifications.waiting(receiver)
