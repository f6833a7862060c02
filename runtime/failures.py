"""What a failure says that Temporal keeps, also where its message is encrypted."""

import json

from temporalio.api.failure.v1 import Failure
from temporalio.converter import PayloadCodec

from perennial_billing.runtime.errors import StartupError


async def message_of(failure: Failure, codec: PayloadCodec | None) -> str:
    """A failure's message; where it is encrypted and cannot be read here, why not.

    Args:
        failure: as it stands in a history.
        codec: of the client that has read it.
    """
    if codec is None or not failure.HasField("encoded_attributes"):
        return failure.message
    try:
        [opened] = await codec.decode([failure.encoded_attributes])
        return str(json.loads(opened.data)["message"])
    except StartupError as error:
        return f"its message cannot be read here: {error}"
    except (ValueError, KeyError, TypeError):
        return failure.message
