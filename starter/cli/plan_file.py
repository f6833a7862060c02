"""Reading a plan from a TOML or JSON file.

plan_id = "coffee-monthly"
amount = { amount = "19.90", currency = "EUR" }
interval = { unit = "month", count = 1 }
"""

import errno
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from perennial_billing.billing.plan import Plan
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.output import in_one_line

FileArgument = Annotated[Path, typer.Argument(help="A plan file (.toml or .json); see examples/plans.", dir_okay=False)]

LARGEST_PLAN_BYTES: Final = 1024 * 1024
"""A plan with a hundred phases has some 20 KiB."""

_READERS: Final[dict[str, Callable[[str], Any]]] = {".toml": tomllib.loads, ".json": json.loads}
# Any: what a file holds is only known once the plan's model has taken it


def read_plan(path: Path) -> Plan:
    """Reads and checks a plan.

    Raises:
        StartupError: the file cannot be read, or names a value that is not accepted; says which and what is.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise StartupError(f"{path}: a plan is a .toml or .json file")
    try:
        content = reader(_text_of(path))
    except OSError as error:
        raise StartupError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # of both formats, and of an encoding
        raise StartupError(f"{path}: not {path.suffix[1:].upper()}: {error}") from None
    try:
        # A plan's JSON rules, so that a duration may be written as "PT12H" in both formats.
        return Plan.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise StartupError(f"{path}: {in_one_line(error)}") from None


def _text_of(path: Path) -> str:
    """What a plan's file says; a device or a pipe is none, as it may be endless.

    As `amazon_pay_client.files` reads its own, which would bring the whole client with it; looking at a plan needs
    none.

    Raises:
        OSError: there is no such file, or it is none.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is not an ordinary file")
    with path.open("rb") as file:
        content = file.read(LARGEST_PLAN_BYTES + 1)
    if len(content) > LARGEST_PLAN_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST_PLAN_BYTES} bytes")
    return content.decode()
