"""What the routes have in common."""

from typing import Annotated, Any, Final

from fastapi import Path, Query

from perennial_billing.billing.contract.terms import ACCOUNT_NAME
from perennial_billing.starter.api.problems import MEDIA_TYPE, Problem

PermissionPath = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="Amazon's id of the charge permission.",
        examples=["C01-1234567-1234567"],
    ),
]
AccountQuery = Annotated[
    str,
    Query(pattern=ACCOUNT_NAME, description="The short name of the merchant account whose it is."),
]
Limit = Annotated[int, Query(ge=1, le=1_000, description="How many at most.")]

_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # Any: a part of an OpenAPI document
    """The problems that an operation may be answered with, beside those of every one."""
    described = {
        400: "It is not possible.",
        401: "No key was sent, or none of ours.",
        403: "The key lacks a scope.",
        404: "There is none.",
        409: "It is not possible now, or contradicts something that stands.",
        422: "A field is not accepted; `errors` says which, and what is.",
        429: "The key is used too often.",
        502: "Amazon refused it, or did not answer.",
        503: "Nobody answers now: send it again, with the same key.",
    }
    return {
        status: {"model": Problem, "description": described[status], "content": _CONTENT}
        for status in sorted({401, 403, 422, 429, 503, *statuses})
    }
