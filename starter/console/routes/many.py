"""One change for all running subscriptions that match: counted and tried on some first, then done, and told of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, cast

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from perennial_billing.billing.changes import Change
from perennial_billing.billing.forecast.preview import DryRun
from perennial_billing.billing.refusals import Refused, refusals_of
from perennial_billing.billing.requests import Asker
from perennial_billing.billing.status import Status
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.services import Services, ServicesDep
from perennial_billing.starter.client import new_request_id
from perennial_billing.starter.console.access import Admin, Form, FormDep, given
from perennial_billing.starter.console.fields import ACTIONS, Action, Ground, request_of
from perennial_billing.starter.console.jobs import MOST, Job, Jobs
from perennial_billing.starter.console.pages import go_to, page
from perennial_billing.starter.console.routes.asking import BECAUSE, REQUEST_ID, is_request_id, why_of
from perennial_billing.starter.console.routes.reports import as_csv
from perennial_billing.starter.errors import SubscriptionError
from perennial_billing.starter.many.bulk import changing, matching
from perennial_billing.starter.many.runner import Outcome
from perennial_billing.starter.tabular import Column, Table
from perennial_billing.workflows.names import MERCHANT_ACCOUNT, PLAN, STATUS

router = APIRouter(prefix="/many")

SAMPLES: Final = 3
"""On so many it is tried before."""

SHOWN: Final = 100
PER_SECOND: Final = 10.0
"""Gentle beside what is billed meanwhile."""

_VALUE: Final = re.compile(r"[A-Za-z0-9._:/#-]{1,128}")
_BY: Final = (("plan", PLAN.name), ("status", STATUS.name), ("account", MERCHANT_ACCOUNT.name))
_GROUND: Final = Ground("USD", "UTC")
"""No amount is asked for here, and wall times are UTC's: those who match live in any zone."""

_REPORT: Final = (Column("Charge permission"), Column("Outcome"), Column("Why"))


def _for_many(action: Action) -> Action:
    return replace(action, fields=tuple(field for field in action.fields if field.name not in {"back", "amount"}))


CHANGES: Final = {path: _for_many(ACTIONS[path]) for path in ("pause", "resume", "skip", "cancel")}
"""What can be done to many, by the last part of the address."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What it would come to for one; or why it would be refused."""

    charge_permission_id: str
    told: DryRun | None
    refused: str = ""


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


@router.get("")
async def list_many(request: Request, person: Admin) -> Response:
    """What can be done, and what was."""
    del person
    return page(request, "many.html", changes=CHANGES, jobs=_jobs(request).all())


@router.get("/jobs/{job_id}")
async def show_job(request: Request, person: Admin, job_id: str) -> Response:
    """How far one is."""
    del person
    job = _job(request, job_id)
    refused = [each for each in job.results if each.outcome is Outcome.REFUSED]
    return page(request, "job.html", job=job, refused=refused[:SHOWN], are_more_refused=len(refused) > SHOWN)


@router.get("/jobs/{job_id}/report.csv")
async def report(request: Request, person: Admin, job_id: str) -> Response:
    """What became of each."""
    del person
    rows = [(each.subject, each.outcome.value, each.why) for each in _job(request, job_id).results]
    file = f'attachment; filename="perennial-many-{job_id[:8]}.csv"'
    return Response(as_csv(Table(_REPORT, rows)), media_type="text/csv", headers={"Content-Disposition": file})


@router.post("/jobs/{job_id}/stop")
async def stop(request: Request, person: Admin, job_id: str) -> Response:
    """Begins no more."""
    await _jobs(request).stop(_job(request, job_id), person.name)
    return go_to(request, f"/many/jobs/{job_id}")


@router.get("/{way}")
async def open_form(request: Request, person: Admin, way: str) -> Response:
    """Whom, and what."""
    del person
    return _shown(request, _change(way), {})


@router.post("/{way}/preview")
async def preview(request: Request, person: Admin, services: ServicesDep, way: str, form: FormDep) -> Response:
    """How many match, and what it would come to for the first of them; nothing is changed."""
    del person
    action = _change(way)
    wanted, _, wrong = _read(action, form)
    found: list[str] = []
    if wanted is not None and not wrong:
        try:
            found = await _found(services, form)
        except (Refused, SubscriptionError) as error:
            wrong.append(error if isinstance(error, Refused) else Refused("query", "", str(error)))
    if wanted is None or wrong:
        return _shown(request, action, _filled(form, action), wrong=wrong)
    samples = [await _sample(services, each, wanted) for each in found[:SAMPLES]]
    return _shown(request, action, _filled(form, action), found=found, samples=samples)


@router.post("/{way}")
async def begin(request: Request, person: Admin, services: ServicesDep, way: str, form: FormDep) -> Response:
    """Begins it, for those of whom the preview told; where others match by now, it is previewed anew."""
    action, jobs, job_id = _change(way), _jobs(request), given(form, REQUEST_ID)
    if jobs.get(job_id) is not None:
        return go_to(request, f"/many/jobs/{job_id}")
    wanted, why, wrong = _read(action, form)
    if not is_request_id(job_id):
        wrong.append(Refused(REQUEST_ID, "", "the one that the form had: preview it first"))
    if jobs.running is not None:
        wrong.append(Refused("", "", "another change for many is under way here: wait for it, or stop it"))
    if wanted is None or wrong:
        return _shown(request, action, _filled(form, action), wrong=wrong)
    found = await _found(services, form)
    if given(form, "expected") != str(len(found)):
        samples = [await _sample(services, each, wanted) for each in found[:SAMPLES]]
        changed = [Refused("", "", f"{len(found)} match by now, another number than before: look at it again")]
        return _shown(request, action, _filled(form, action), wrong=changed, found=found, samples=samples)
    asker = Asker(actor=person.name, because=why)
    job = Job(job_id, action.label, person.name, why, len(found), datetime.now(UTC))
    jobs.begin(job, found, changing(services.subscriptions.on_behalf_of(asker), wanted), PER_SECOND)
    return go_to(request, f"/many/jobs/{job_id}")


def _change(way: str) -> Action:
    if way not in CHANGES:
        raise ProblemError(404, "not-found", "There is no such change", f"there are {', '.join(CHANGES)}")
    return CHANGES[way]


def _job(request: Request, job_id: str) -> Job:
    job = _jobs(request).get(job_id)
    if job is None:
        detail = "this process knows none of that id: it ended long ago, or with the process that it ran in"
        raise ProblemError(404, "not-found", "There is no such change for many", detail)
    return job


def _filled(form: Form, action: Action) -> dict[str, str]:
    names = ("query", *(name for name, _ in _BY), *(field.name for field in action.fields), BECAUSE)
    return {name: given(form, name) for name in names}


def _read(action: Action, form: Form) -> tuple[Change | None, str, list[Refused]]:
    """What is wanted and why, or all that is wrong with it; also where nobody is named."""
    wrong: list[Refused] = []
    wanted, why = None, ""
    try:
        wanted = cast("Change", request_of(action, form, _GROUND))
    except ValidationError as error:
        wrong += refusals_of(error)
    except Refused as refused:
        wrong.append(refused)
    try:
        why = why_of(form)
    except Refused as refused:
        wrong.append(refused)
    try:
        condition_of(form)
    except Refused as refused:
        wrong.append(refused)
    return wanted, why, wrong


def condition_of(form: Form) -> str:
    """As Temporal's visibility store takes it.

    Raises:
        Refused: nobody is named, or by something that cannot be meant.
    """
    conditions = []
    for name, attribute in _BY:
        value = given(form, name)
        if value and not _VALUE.fullmatch(value):
            raise Refused(name, repr(value), "letters, digits and . _ : / # - are")
        conditions += [f"{attribute} = '{value}'"] if value else []
    query = given(form, "query")
    conditions += [f"({query})"] if query else []
    if not conditions:
        raise Refused("plan", "", "somebody is to be named: by a plan, a status, an account or a query")
    return " AND ".join(conditions)


async def _found(services: Services, form: Form) -> list[str]:
    """Those that match, sorted.

    Raises:
        Refused: they are too many.
        SubscriptionError: the query is none.
    """
    found = []
    async for each in matching(services.subscriptions, condition_of(form)):
        found.append(each)
        if len(found) > MOST:
            raise Refused("query", "", f"more than {MOST} match: name fewer, or use `perennial bulk`")
    return sorted(found)


async def _sample(services: Services, charge_permission_id: str, wanted: Change) -> Sample:
    try:
        return Sample(charge_permission_id, await services.subscriptions.dry_run(charge_permission_id, wanted))
    except SubscriptionError as error:
        return Sample(charge_permission_id, None, str(error))


def _shown(
    request: Request,
    action: Action,
    filled: Mapping[str, str],
    *,
    wrong: list[Refused] | None = None,
    found: list[str] | None = None,
    samples: list[Sample] | None = None,
) -> Response:
    return page(
        request,
        "many_ask.html",
        422 if wrong else 200,
        action=action,
        filled={"query": "", BECAUSE: "", **{name: "" for name, _ in _BY}}
        | {field.name: "" for field in action.fields}
        | dict(filled),
        wrong=wrong or [],
        found=found,
        samples=samples or [],
        statuses=[status for status in Status if not status.has_ended],
        request_id=new_request_id(),
        per_second=PER_SECOND,
    )
