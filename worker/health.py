"""Whether this machine's worker works, for a container's health check: `python -m perennial_billing.worker.health`.

The worker itself is asked, at its `/ready` (`runtime.liveness`): it answers within seconds or does not work, as where
it is stopped or hangs, which the Temporal server would not notice for minutes. Exit code 0 if it is ready, 1 if not.
"""

import json
import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.liveness import READY
from perennial_billing.runtime.settings import PREFIX, Settings, load_settings

ANSWERS_WITHIN_SECONDS: Final = 4.0
"""More than it waits itself for the Temporal server."""

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listens there by somebody's setting
"""Where a process on the same machine asks one that listens at all of its addresses."""

_OK: Final = 200


def why_not_ready(settings: Settings) -> str | None:
    """What the worker lacks, in a line; None where it is ready."""
    host, port = _EVERYWHERE.get(settings.health_host, settings.health_host), settings.health_port
    if port is None:
        return f"{PREFIX}HEALTH_PORT: is not set, so no worker can be asked how it is"
    connection = HTTPConnection(host, port, timeout=ANSWERS_WITHIN_SECONDS)
    try:
        connection.request("GET", READY)
        answer = connection.getresponse()
        status, body = answer.status, answer.read()
    except TimeoutError:
        return f"the worker at {host}:{port} did not answer within {ANSWERS_WITHIN_SECONDS:g} s"
    except (OSError, HTTPException) as error:
        return f"no worker answers at {host}:{port} ({type(error).__name__})"
    finally:
        connection.close()
    return None if status == _OK else f"the worker is not ready: {_why(body)}"


def _why(body: bytes) -> str:
    try:
        return str(json.loads(body)["why"])
    except (ValueError, KeyError, TypeError):
        return "what answers there is no worker"


def main() -> None:
    """Looks once."""
    try:
        why = why_not_ready(load_settings())
    except StartupError as error:
        why = str(error)
    if why is not None:
        sys.stderr.write(f"error: {why}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
