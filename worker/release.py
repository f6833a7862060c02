"""Which release a worker is of: what Temporal calls the build id of a worker deployment.

It is made of the package's version and a digest of what decides, the rules of the time zones among it, so that two
builds that decide otherwise never go by one name, also where nobody has raised the version.
"""

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from perennial_billing.billing.zones import RULES
from perennial_billing.runtime.settings import Settings

_DECIDES: Final = ("billing", "workflows")
"""The packages whose code a run's commands follow from."""

_DIGITS: Final = 8


def release_of(settings: Settings) -> WorkerDeploymentConfig | None:
    """How workers of subscriptions present themselves; None where they are not versioned."""
    if not settings.worker_versioning:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment_name, own_build_id(settings)),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def own_build_id(settings: Settings) -> str:
    """The build id by which workers of this installation go."""
    return settings.build_id or build_id()


@cache
def build_id() -> str:
    """This build's, such as `0.2.0-5f3a90c1`: the version, and the beginning of a SHA-256 of what decides."""
    digest = sha256(f"tzdata {RULES}\0".encode())
    for package in _DECIDES:
        for path, source in sorted(_sources(files("perennial_billing") / package, package)):
            digest.update(f"{path}\0{len(source)}\0".encode())
            digest.update(source)
    return f"{version('perennial-billing')}-{digest.hexdigest()[:_DIGITS]}"


def _sources(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found = []
    for each in folder.iterdir():
        inside = f"{path}/{each.name}"
        if each.is_dir():
            found += _sources(each, inside)
        elif each.name.endswith(".py"):
            found.append((inside, each.read_bytes()))
    return found
