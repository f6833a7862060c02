"""The commands about releases of the workers: the group `deploy`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, err, say
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.starter.deployments import Deployment, Deployments, Moved, Release

_RELEASES: Final = (
    Column("Release"),
    Column("Role"),
    Column("Since (UTC)", rank=2),
    Column("Workers", justify="right"),
    Column("Runs", justify="right"),
    Column("Stuck", rank=1, justify="right"),
    Column("What to do", is_prose=True),
)
_ASKING_MAY_TAKE: Final = timedelta(seconds=20)
"""How long workers that were just started may need until the server knows of them."""

deploy = typer.Typer(help="See and choose which release of the workers has which subscriptions.", no_args_is_help=True)

ReleaseArgument = Annotated[
    str | None,
    typer.Argument(metavar="BUILD_ID", help="The release; that of this installation when not given."),
]
PatienceOption = Annotated[
    float, typer.Option("--patience", min=1, help="Seconds for which nothing may come of waking; then it gives up.")
]
RateOption = Annotated[float, typer.Option("--rate", min=0.1, help="How many sleepers are woken a second.")]
NoWaitOption = Annotated[
    bool, typer.Option("--no-move", help="Wake nobody: each goes on under the release when it wakes by itself.")
]
FirstOption = Annotated[
    bool,
    typer.Option("--first", help="Only where no release is current yet, as of a new deployment; else nothing is done."),
]


@deploy.command("status")
@asynchronous
async def status(as_json: JsonOption = False) -> None:
    """Show all releases: what each is there for, what only it can go on with, and which may be stopped."""
    async with _deployments() as deployments:
        found = await deployments.look()
    say(_as_data(found), _sheet(found), *_notes(found), as_json=as_json)


@deploy.command("promote")
@asynchronous
async def promote(
    build_id: ReleaseArgument = None,
    patience: PatienceOption = 60.0,
    rate: RateOption = 50.0,
    no_move: NoWaitOption = False,
    first: FirstOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a release the current one, and let all subscriptions go on under it. Exit code 1 where some stay behind."""
    async with _deployments() as deployments:
        release = build_id or _own()
        if first and (why := _why_not_first(found := await deployments.look(), release)):
            say(_as_data(found), why, as_json=as_json)
            return
        await _once_it_works(lambda: deployments.promote(release))
        if not no_move:
            await _moved(deployments, patience, rate)
        found = await deployments.look()
    say(_as_data(found), _sheet(found), *_notes(found), as_json=as_json)
    _none_is_left(found, no_move=no_move)


@deploy.command("ramp")
@asynchronous
async def ramp(
    percent: Annotated[float, typer.Option("--percent", min=0, max=100, help="The share that it gets.")],
    build_id: ReleaseArgument = None,
    as_json: JsonOption = False,
) -> None:
    """Give a release a share of what is new at once, and of what sleeps as it wakes. 0 takes the share back."""
    async with _deployments() as deployments:
        release = build_id or _own()
        await _once_it_works(lambda: deployments.ramp(release, percent))
        found = await deployments.look()
    say(_as_data(found), _sheet(found), *_notes(found), as_json=as_json)


@deploy.command("rollback")
@asynchronous
async def rollback(
    patience: PatienceOption = 60.0,
    rate: RateOption = 50.0,
    as_json: JsonOption = False,
) -> None:
    """Go back to the release that was current before. What is stuck in the present one goes on with it, too."""
    async with _deployments() as deployments:
        before = (await deployments.look()).before
        if before is None:
            raise RefusedError("there is no release to go back to: none was current before the present one")
        await deployments.promote(before.build_id)
        await _moved(deployments, patience, rate)
        found = await deployments.look()
    say(_as_data(found), _sheet(found), *_notes(found), as_json=as_json)
    _none_is_left(found, no_move=False)


@asynccontextmanager
async def _deployments() -> AsyncIterator["Deployments"]:
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.deployments import Deployments

    settings = load_settings()
    yield Deployments(await connect(settings), settings.deployment_name, settings.task_queue)


def _own() -> str:
    """The release that workers of this installation are."""
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.release import own_build_id

    return own_build_id(load_settings())


def _why_not_first(found: "Deployment", release: str) -> str | None:
    """Why a release is not promoted as the first one: only a person makes a later one current."""
    from perennial_billing.runtime.settings import load_settings

    if found.current is None:
        versioned = load_settings().worker_versioning
        return None if versioned else "workers are no releases (PERENNIAL_WORKER_VERSIONING), so nothing is done"
    line = f"{found.current.build_id} is current already, so nothing is done"
    if release != found.current.build_id:
        line += f"; `perennial deploy promote {release}` makes {release} current"
    return line


async def _once_it_works(do: Callable[[], Awaitable[None]]) -> None:
    """Does what needs a release's workers, which may have been started just now."""
    import asyncio

    from perennial_billing.billing.refusals import Refused

    deadline = asyncio.get_running_loop().time() + _ASKING_MAY_TAKE.total_seconds()
    while True:
        try:
            return await do()
        except Refused:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.5)


async def _moved(deployments: "Deployments", patience: float, rate: float) -> "Moved":
    """Wakes those that sleep under another release, and shows how many are left."""
    from rich.progress import Progress

    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("go on under it", total=None)

        def seen(left: int) -> None:
            total = max(left, int(progress.tasks[0].total or 0))
            progress.update(task, total=total, completed=total - left)

        return await deployments.move(patience=timedelta(seconds=patience), seen=seen, per_second=rate)


def _none_is_left(found: "Deployment", *, no_move: bool) -> None:
    behind = sum(each.runs for each in found.releases if each is not found.current) + found.unversioned_runs
    if behind and not no_move:
        raise RefusedError(f"{behind} have not gone on under the current release; their own is still needed for them")


def _sheet(found: "Deployment") -> Sheet:
    return Sheet(_RELEASES, [_row(each) for each in found.releases], title=f"Worker deployment {found.name}")


def _row(release: "Release") -> tuple[str, ...]:
    role = release.role.value if release.percent is None else f"{release.role.value}, {release.percent:g} %"
    since = f"{release.since:%Y-%m-%d %H:%M}" if release.since else ""
    counts = (str(release.workers), str(release.runs), str(release.stuck))
    return (release.build_id, role, since, *counts, _advice(release))


def _advice(release: "Release") -> str:
    if release.is_stranded:
        return "start its workers, or `perennial deploy promote` another: what it has waits for them"
    if release.stuck:
        return "its workers fail: `perennial deploy rollback`, or promote a release that is mended"
    if release.may_be_stopped:
        return "may be stopped" if release.workers else ""
    return ""


def _notes(found: "Deployment") -> list[str]:
    notes: list[str] = []
    if found.current is None:
        notes.append("No release is current: what is new goes to workers without versions.")
    if found.unversioned_workers:
        notes.append(f"{found.unversioned_workers} workers have no version (PERENNIAL_WORKER_VERSIONING).")
    if found.unversioned_runs:
        notes.append(f"{found.unversioned_runs} runs have no release yet.")
    return notes


def _as_data(found: "Deployment") -> dict[str, object]:
    data = asdict(found)
    for shown, release in zip(data["releases"], found.releases, strict=True):
        shown["stranded"], shown["may_be_stopped"] = release.is_stranded, release.may_be_stopped
    return data
