"""Endpoints and what became of notices, over HTTP."""

from uuid import uuid4

from perennial_billing.billing.protocol.notices import NoticeType
from tests.api.conftest import Api


async def test_an_endpoint_is_made_known_disabled_and_removed(api: Api) -> None:
    key = uuid4().hex
    body = {"url": "http://127.0.0.1:9/hooks", "types": ["period.*"]}

    made = await api.post("/v1/endpoints", body, once=key)
    again = await api.post("/v1/endpoints", body, once=key)
    assert made.status_code == 201, made.text
    assert again.text == made.text, "the secret of an answer that was lost is not lost"
    identifier = made.json()["endpoint"]["id"]
    try:
        assert made.json()["secret"].startswith("whsec_")
        listed = (await api.http.get("/v1/endpoints")).text
        assert identifier in listed
        assert made.json()["secret"] not in listed
        disabled = await api.http.post(f"/v1/endpoints/{identifier}/disable")
        assert disabled.json()["disabled_for"] == "asked"
        enabled = await api.http.post(f"/v1/endpoints/{identifier}/enable")
        assert "disabled_for" not in enabled.json() or enabled.json()["disabled_for"] is None
    finally:
        assert (await api.http.delete(f"/v1/endpoints/{identifier}")).status_code == 204
    gone = await api.http.post(f"/v1/endpoints/{identifier}/enable")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:perennial:problem:not-found")


async def test_an_endpoint_that_cannot_be_is_refused_by_field(api: Api) -> None:
    for body, field in (({"url": "ftp://shop"}, "url"), ({"url": "http://127.0.0.1/x", "types": ["nonsense"]}, "type")):
        answer = await api.post("/v1/endpoints", body)
        assert answer.status_code == 422, answer.text
        assert field in answer.json()["errors"][0]["field"]


async def test_what_became_of_notices_and_what_they_are_like(api: Api) -> None:
    undelivered = await api.http.get("/v1/deliveries", params={"undelivered": True})
    schema = await api.http.get("/v1/notices/schema")
    assert (undelivered.status_code, schema.status_code) == (200, 200)
    for kind in NoticeType:
        example = await api.http.get(f"/v1/notices/examples/{kind.value}")
        assert example.json()["type"] == kind.value
