"""By what names a client says who it is: the user agent, and the ids that Amazon gives integrators.

Source of the integrator's headers: the official PHP SDK, which sends them for plugins.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Final

DISTRIBUTION: Final = "amazon-pay-client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrator:
    """Who built the integration, for the reports that Amazon makes by it.

    Attributes:
        integrator_id: from Amazon.
        integrator_version: of the integration.
        platform_version: of the shop system that it is for.
    """

    integrator_id: str
    integrator_version: str | None = None
    platform_version: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What each request carries."""
        given = {
            "x-amz-pay-integrator-id": self.integrator_id,
            "x-amz-pay-integrator-version": self.integrator_version,
            "x-amz-pay-platform-version": self.platform_version,
        }
        return {name: value for name, value in given.items() if value is not None}


def user_agent(application: str | None) -> str:
    """Such as `amazon-pay-client/0.1.0 Python/3.12.4 MyShop/2.1`.

    Args:
        application: the application's own name and version, put at the end as it is.
    """
    return f"{_client()} {application}" if application is not None else _client()


@cache
def _client() -> str:
    return f"{DISTRIBUTION}/{version(DISTRIBUTION)} Python/{platform.python_version()}"
