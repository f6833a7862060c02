"""Puts the parts together: the Amazon Pay client from settings, activities over it, a worker that hosts all."""

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.amazon_pay import AmazonPayCalls
from amazon_pay import AmazonPayClient, Environment, PrivateKeyError, Region, load_private_key
from amazon_pay.models.wire import TIMESTAMP_FORMAT
from runtime.errors import StartupError
from runtime.settings import PREFIX, Settings
from workflows.subscription import SubscriptionWorkflow

SIMULATOR_TIME_HEADER: Final = "x-simulator-time"
"""Understood by the simulator only."""


def amazon_pay_client(settings: Settings) -> AmazonPayClient:
    """The client that the settings describe.

    Raises:
        StartupError: a setting is missing or wrong, or the private key cannot be used.
    """
    passphrase = settings.private_key_passphrase
    try:
        return AmazonPayClient(
            public_key_id=settings.required("public_key_id"),
            private_key=load_private_key(
                settings.private_key_source, passphrase.get_secret_value() if passphrase else None
            ),
            region=Region.parse(settings.region),
            environment=Environment(settings.environment.value),
            origin=settings.amazon_pay_origin,
        )
    except PrivateKeyError as error:
        variable = "PRIVATE_KEY" if settings.private_key else "PRIVATE_KEY_PATH"
        raise StartupError(f"{PREFIX}{variable}: {error}") from None
    except ValueError as error:
        field, _, trouble = str(error).partition(": ")
        raise StartupError(f"{PREFIX}{field.upper()}: {trouble}") from None


def billing_worker(client: Client, amazon_pay: AmazonPayClient, settings: Settings) -> Worker:
    """A worker for subscriptions, not yet running."""
    calls = AmazonPayCalls(amazon_pay, _virtual_time if settings.send_virtual_time else dict)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[SubscriptionWorkflow],
        activities=[calls.create_charge, calls.read_charge, calls.read_permission, calls.close_permission],
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
    )


def _virtual_time() -> Mapping[str, str]:
    """The workflow's time at which this call was scheduled, for a simulator that dates its books by it."""
    scheduled = activity.info().current_attempt_scheduled_time
    return {SIMULATOR_TIME_HEADER: scheduled.astimezone(UTC).strftime(TIMESTAMP_FORMAT)}
