"""How commands ask something of a subscription: when it takes effect, what it would come to, and under which id."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from rich.console import RenderableType
from rich.text import Text

from perennial_billing.billing.changes import When
from perennial_billing.billing.forecast.preview import DryRun, Upcoming
from perennial_billing.billing.requests import Request
from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.calendar import as_data, calendar_of
from perennial_billing.starter.cli.connection import needs_consent, subscriptions
from perennial_billing.starter.cli.output import in_one_line, say

Asked = TypeVar("Asked", bound=Request)

WhenOption = Annotated[
    str | None,
    typer.Option(help="When it takes effect: now, renewal (the end of the paid period), or an instant, ISO 8601."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be charged today and next; change nothing.")
]
RequestIdOption = Annotated[
    str | None,
    typer.Option(help="An id of this request: asking again with it gives the first answer and asks for nothing new."),
]


_OPTIONS = {
    "quantity": "--quantity",
    "until": "--until",
    "when": "--when",
    "reason": "--reason",
    "what": "--what",
    "reference": "--reference",
    "charge_id": "--charge",
    "resolve": "--charge, --new-attempt or --write-off",
}


def requested(kind: type[Asked], **fields: Any) -> Asked:  # Any: the fields of one of the requests
    """A request, made of a command's options.

    Raises:
        StartupError: an option's value is not accepted; says which and what is.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        raise StartupError(in_one_line(error, _OPTIONS)) from None


def moment(text: str | None, otherwise: When) -> When | datetime:
    """The option `--when`.

    Raises:
        StartupError: it is none of them.
    """
    if text is None:
        return otherwise
    if text in set(When):
        return When(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        accepted = "now, renewal, or an instant with its offset such as 2026-01-31T09:00:00+01:00 is"
        raise StartupError(f"--when: {text!r} is not accepted; {accepted}")
    return instant


async def tell_dry_run(charge_permission_id: str, request: Request, *, as_json: bool) -> None:
    """Says what a request would come to."""
    client = await subscriptions(needs_consent=needs_consent())
    told = await client.dry_run(charge_permission_id, request)
    say(_as_data(told), *_in_words(told), as_json=as_json)


def _as_data(told: DryRun) -> dict[str, Any]:  # Any: as JSON writes it
    charges = ("charged_now", "upcoming", "before")
    rest = told.model_dump(mode="json", exclude=set(charges))
    return rest | {name: [as_data(each) for each in getattr(told, name)] for name in charges}


def _in_words(told: DryRun) -> list[RenderableType]:
    effect = f"{told.effective_at:%Y-%m-%d %H:%M} UTC" if told.effective_at else "at once"
    return [
        f"would take effect {effect}; nothing was changed",
        *_charges("Charged today", told.charged_now),
        *_charges("Next", told.upcoming),
        *_charges("Without it", told.before),
    ]


def _charges(heading: str, charges: Sequence[Upcoming]) -> list[RenderableType]:
    title = Text(heading, "bold")
    return [title, calendar_of(charges, "UTC")] if charges else [Text.assemble(title, ": nothing")]
