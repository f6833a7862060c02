"""The connection to Temporal: address and credentials as for every Temporal tool, payloads as pydantic models."""

import asyncio
import logging
from typing import Final

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig

from runtime.errors import StartupError

DEFAULT_ADDRESS: Final = "localhost:7233"
DEFAULT_NAMESPACE: Final = "default"
LONGEST_WAIT_SECONDS: Final = 15.0

DATA_CONVERTER: Final = pydantic_data_converter

_log = logging.getLogger(__name__)


async def connect(*, patient: bool = False) -> Client:
    """Connects as `TEMPORAL_ADDRESS` and its siblings say.

    Args:
        patient: keep trying, as a process does that is started together with its server.

    Raises:
        StartupError: the configuration cannot be read, or (unless patient) no server answers.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError, OSError) as error:
        raise StartupError(f"Temporal's client configuration cannot be read: {error}") from error
    address = config.get("target_host") or DEFAULT_ADDRESS
    config["target_host"] = address
    config.setdefault("namespace", DEFAULT_NAMESPACE)
    wait = 0.5
    while True:
        try:
            return await Client.connect(**config, data_converter=DATA_CONVERTER)
        except RuntimeError as error:
            if not patient:
                raise StartupError(
                    f"TEMPORAL_ADDRESS: no Temporal server answers at {address}; start one or set the address"
                ) from error
            _log.warning("no Temporal server answers at %s yet, trying again in %.1f s", address, wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
