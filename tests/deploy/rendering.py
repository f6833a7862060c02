"""The chart as `helm template` renders it, kept beside the tests, as helm takes minutes to build where it is not.

    python -m tests.deploy.rendering

needs `helm` on the PATH, and is due after every change of the chart: a test compares the digest of its files with the
one that stands at the top of what is kept, and where there is a helm, what it renders.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "perennial"
RENDERED: Final = Path(__file__).parent / "rendered"

ALERTS: Final = CHART / "files" / "alerts.yml"
"""A link to what others look after: not part of what is kept."""

NEEDED: Final = ("temporal.address=temporal-frontend.temporal:7233", "secret.name=billing")

CONTROLLED: Final = ("releases.controller.enabled=true", "autoscaling.enabled=true")

VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "plain": (),
    "controller": (
        *CONTROLLED,
        "temporal.address=bills.a1b2c.tmprl.cloud:7233",
        "temporal.namespace=bills.a1b2c",
        "temporal.apiKeySecret.name=temporal-key",
        "monitoring.serviceMonitor.enabled=true",
        "ipn.ingress.enabled=true",
        "ipn.ingress.host=pay.shop.example",
        "setup.retentionDays=90",
        "secret.files.PERENNIAL_WEBHOOK_SECRET_FILE=webhook-secret",
    ),
    "scaled": (
        "autoscaling.enabled=true",
        "temporal.tlsSecret=temporal-client",
        "settings.PERENNIAL_TASK_QUEUE=billing",
        "api.enabled=false",
        "worker.podAnnotations.team=billing",
        "imagePullSecrets[0].name=registry",
    ),
}
"""By the name of the file: the values that are set."""


def digest() -> str:
    """Of everything that the chart is made of."""
    found = sha256()
    for path in sorted(CHART.rglob("*")):
        if path.is_file() and path != ALERTS:
            found.update(f"{path.relative_to(CHART)}\0".encode())
            found.update(path.read_bytes())
    found.update(repr(VARIANTS).encode())
    return found.hexdigest()


def helm() -> str | None:
    """The program, where there is one."""
    return shutil.which("helm")


def rendered(program: str, *values: str) -> str:
    """The chart's manifests with these values set.

    Raises:
        RuntimeError: it cannot be rendered; says why.
    """
    options = [option for value in (*NEEDED, *values) for option in ("--set", value)]
    command = [program, "template", "bills", str(CHART), "--namespace", "billing", "--kube-version", "1.31.0"]
    said = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(said.stderr)
    return "\n".join(line.rstrip() for line in said.stdout.splitlines()) + "\n"


def kept(name: str) -> tuple[str, str]:
    """The digest of the chart that a file was made of, and what it holds."""
    first, _, text = (RENDERED / f"{name}.yaml").read_text().partition("\n")
    return first.removeprefix("# Made by `python -m tests.deploy.rendering` of "), text


def main() -> None:
    """Renders all anew."""
    program = helm()
    if program is None:
        sys.exit("helm is not on the PATH")
    RENDERED.mkdir(exist_ok=True)
    for name, values in VARIANTS.items():
        text = rendered(program, *values)
        (RENDERED / f"{name}.yaml").write_text(f"# Made by `python -m tests.deploy.rendering` of {digest()}\n{text}")


if __name__ == "__main__":
    main()
