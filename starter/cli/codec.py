"""The commands about the keys that Temporal's histories are encrypted with: the group `codec`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, say, working
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.starter.needed_keys import Needed

_KEYS = (
    Column("Key"),
    Column("Here"),
    Column("Runs", justify="right"),
    Column("Oldest since (UTC)", rank=1),
    Column("What to do", is_prose=True),
)

codec = typer.Typer(help="Look after the keys that Temporal's histories are encrypted with.", no_args_is_help=True)


@codec.callback()
def _codec() -> None:
    """Look after the keys that Temporal's histories are encrypted with."""


@codec.command("keys")
@asynchronous
async def keys(
    ended: Annotated[
        bool,
        typer.Option(
            "--ended", help="Also what has ended, as far back as the namespace retains it: to look at, or to recover."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show which keys are set here, and how many workflows still need each; exit code 1 where one is missing.

    Reads every history, and no more of it than the ids of its keys. A key that nobody needs may be removed.
    """
    from perennial_billing.runtime.service import connect_service
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.needed_keys import needed_keys

    known = [key.id for key in load_settings().codec_key_ring]
    there = await connect_service()
    with working("looking through histories"):
        needed = await needed_keys(there.service.workflow_service, there.namespace, ended=ended)
    rows = _rows(known, needed)
    say([_as_data(row) for row in rows], _sheet(rows), as_json=as_json)
    missing = [name for name, here, _ in rows if here == _MISSING]
    if missing:
        raise RefusedError(
            f"PERENNIAL_CODEC_KEYS: lacks {', '.join(missing)}, which histories need: put it back behind the others"
        )


_ENCRYPTS, _OPENS, _MISSING = "encrypts", "opens", "missing"
_Row = tuple[str, str, "Needed | None"]


def _rows(known: Sequence[str], needed: "Sequence[Needed]") -> list[_Row]:
    by_id = {each.key_id: each for each in needed}
    rows = [(name, _OPENS if place else _ENCRYPTS, by_id.pop(name, None)) for place, name in enumerate(known)]
    return rows + [(name, _MISSING, each) for name, each in by_id.items()]


def _as_data(row: _Row) -> dict[str, object]:
    name, here, needed = row
    return {
        "key_id": name,
        "here": here,
        "runs": needed.runs if needed else 0,
        "since": needed.since.isoformat() if needed else None,
        "may_be_removed": here == _OPENS and needed is None,
    }


def _sheet(rows: Sequence[_Row]) -> Sheet:
    return Sheet(
        _KEYS,
        [
            (
                name,
                here,
                str(needed.runs if needed else 0),
                f"{needed.since:%Y-%m-%d %H:%M}" if needed else "-",
                _advice(here, needed),
            )
            for name, here, needed in rows
        ],
    )


def _advice(here: str, needed: "Needed | None") -> str:
    if here == _MISSING:
        return "put it back: nobody can read these"
    if here == _ENCRYPTS:
        return "-"
    return "keep it" if needed else "it may be removed"
