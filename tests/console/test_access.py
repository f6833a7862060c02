"""Who gets in, and what they may: every page for every role, forms without their token, proxies that are none."""

import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import SecretStr

from perennial_billing.ledger.api_keys import Scope
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.settings import Settings
from perennial_billing.starter.console.access import check_form
from perennial_billing.starter.console.app import by_proxy
from perennial_billing.starter.console.guarding import HEADERS
from perennial_billing.starter.console.people import ProxyDoor
from perennial_billing.starter.console.routes import asking, clock, finding, looking, many, reports, today
from tests.console.conftest import EVERYTHING, SECRET, Console, said_of, token_of

ROUTERS: Final = (today, finding, asking, clock, looking, reports, many)
NOBODYS: Final = "C01-0000000-0000000"


def routes() -> list[APIRoute]:
    return [route for module in ROUTERS for route in module.router.routes if isinstance(route, APIRoute)]


def addresses() -> list[tuple[str, str]]:
    """Method and path of every page, with what it does not accept: who may not open it does not learn even that."""
    filled = {"charge_permission_id": "no_id", "name": "none", "number": "1", "way": "none", "job_id": "none"}
    return [
        (method, re.sub(r"\{(\w+)\}", lambda found: filled[found[1]], route.path))
        for route in routes()
        for method in route.methods or ()
    ]


def guards_of(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from guards_of(each)


def test_every_router_is_served_and_has_pages(console: Console) -> None:
    served = [getattr(route, "original_router", None) for route in console.app.routes]

    assert [each for each in served if each is not None] == [module.router for module in ROUTERS]
    assert all(module.router.routes for module in ROUTERS)
    assert len(addresses()) > 45


def test_every_route_has_a_role_and_the_application_looks_at_every_form(console: Console) -> None:
    for route in routes():
        names = [getattr(call, "__qualname__", "") for call in guards_of(route.dependant)]
        assert sum(name.startswith("allowing.") for name in names) == 1, route.path
    assert [each.dependency for each in console.app.router.dependencies] == [check_form]


async def test_nobody_gets_in_who_does_not_come_through_the_proxy(console: Console) -> None:
    strangers: tuple[dict[str, str], ...] = (
        {},
        said_of("ines", secret="another"),
        {"X-Forwarded-User": "ines", "X-Forwarded-Groups": EVERYTHING},
        said_of(""),
    )
    for headers in strangers:
        async with console.browser(headers) as stranger:
            for method, path in addresses() if not headers else addresses()[:4]:
                answer = await stranger.request(method, path, data={"csrf": "x"} if method == "POST" else None)
                assert answer.status_code == (401 if method == "GET" else 403), f"{method} {path}"
                assert "You are not signed in" in answer.text or method == "POST"


async def test_each_page_needs_one_role_and_no_other_gives_it(console: Console) -> None:
    form = token_of(await console.form_of("pause", await console.started()))
    cookies = dict(console.http.cookies)

    async def opened(roles: str, which: list[tuple[str, str]]) -> list[tuple[str, str]]:
        async with console.browser(said_of("ines", roles)) as http:
            http.cookies.update(cookies)
            answers = [
                (address, await http.request(*address, data={"csrf": form} if address[0] == "POST" else None))
                for address in which
            ]
        assert all(answer.status_code != 401 for _, answer in answers)
        return [address for address, answer in answers if answer.status_code != 403]

    by_scope = {scope: await opened(f"perennial-{scope}", addresses()) for scope in Scope}

    assert sorted(address for each in by_scope.values() for address in each) == sorted(addresses()), "one role for each"
    for scope, those in by_scope.items():
        others = ",".join(f"perennial-{each}" for each in Scope if each is not scope)
        assert await opened(others, those) == [], f"without {scope}"


async def test_a_post_without_the_form_s_token_does_nothing(console: Console) -> None:
    posts = [path for method, path in addresses() if method == "POST"]
    assert len(posts) > 25
    token = token_of(await console.form_of("pause", await console.started()))
    for path in posts:
        answer = await console.http.post(path, data={})
        assert answer.status_code == 403, path
        assert "The form was not accepted" in answer.text
    for path in posts[:2]:
        for sent in ({"csrf": "x"}, {"csrf": ""}, {"csrf": f"{token}x"}):
            assert (await console.http.post(path, data=sent)).status_code == 403, path
        answer = await console.http.post(path, data={"csrf": token}, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403, path
        answer = await console.http.post(path, json={"csrf": token})
        assert answer.status_code == 403, path
        accepted = await console.http.post(path, data={"csrf": token}, headers={"Origin": console.origin})
        assert accepted.status_code != 403, path


async def test_a_token_of_somebody_else_s_session_is_none(console: Console) -> None:
    permission = await console.started()
    mine = token_of(await console.form_of("pause", permission))
    async with console.browser(said_of("otto")) as other:
        await other.get("/subscriptions")
        answer = await other.post(f"/subscriptions/{permission}/pause/preview", data={"csrf": mine, "because": "x"})

    assert answer.status_code == 403


async def test_whoever_is_limited_to_accounts_sees_no_other(console: Console) -> None:
    permission = await console.started()
    async with console.browser(said_of("ines", f"{EVERYTHING},perennial-account-elsewhere")) as http:
        assert (await http.get(f"/subscriptions/{permission}")).status_code == 404
        assert (await http.get(f"/subscriptions/{permission}/pause")).status_code == 404
        found = await http.get("/subscriptions", params={"q": permission})
        assert (found.status_code, "Nothing was found" in found.text) == (200, True)
        assert (await http.get("/", params={"account": "default"})).status_code == 403
        assert (await http.get("/reports/aging", params={"account": "default"})).status_code == 403
    async with console.browser(said_of("ines", f"{EVERYTHING},perennial-account-default")) as http:
        assert (await http.get(f"/subscriptions/{permission}")).status_code == 200


async def test_a_role_with_a_typing_error_lets_nobody_in_rather_than_everywhere(console: Console) -> None:
    async with console.browser(said_of("ines", "perennial-read,perennial-acount-eu")) as http:
        answer = await http.get("/subscriptions")

    assert answer.status_code == 403
    assert "perennial-acount-eu" in answer.text


async def test_groups_of_other_programs_mean_nothing(console: Console) -> None:
    async with console.browser(said_of("ines", "admin, staff, perennial-read")) as http:
        assert (await http.get("/subscriptions")).status_code == 200
        assert (await http.get(f"/subscriptions/{NOBODYS}/pause")).status_code == 403


async def test_a_proxy_is_known_by_its_address_where_that_is_named(console: Console) -> None:
    def door(*peers: str) -> ProxyDoor:
        found = by_proxy(Settings.model_validate({"console_trusted_peers": ",".join(peers)})).door
        assert isinstance(found, ProxyDoor)
        return found

    before = console.app.state.door
    try:
        async with console.browser({"X-Forwarded-User": "ines", "X-Forwarded-Groups": EVERYTHING}) as http:
            console.app.state.door = door("10.0.0.0/8")
            assert (await http.get("/subscriptions")).status_code == 401
            forged = {"X-Forwarded-For": "10.0.0.1"}
            assert (await http.get("/subscriptions", headers=forged)).status_code == 401, "nobody says where he is"
            console.app.state.door = door("10.0.0.0/8", "127.0.0.1/32")
            assert (await http.get("/subscriptions")).status_code == 200
    finally:
        console.app.state.door = before


def test_without_a_proxy_that_can_be_known_the_console_does_not_start() -> None:
    with pytest.raises(StartupError, match="PERENNIAL_CONSOLE_PROXY_SECRET or PERENNIAL_CONSOLE_TRUSTED_PEERS"):
        by_proxy(Settings())
    assert by_proxy(Settings(console_proxy_secret=SecretStr(SECRET))).says == ""


async def test_another_host_s_name_for_this_machine_is_not_answered(console: Console) -> None:
    answer = await console.http.get("/subscriptions", headers={"Host": "rebound.example"})

    assert answer.status_code == 421


@pytest.mark.parametrize("path", ["/", "/subscriptions", "/none", "/subscriptions/C01-0000000-0000000"])
async def test_every_answer_forbids_what_is_not_the_console_s_own(console: Console, path: str) -> None:
    answer = await console.http.get(path)

    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)


async def test_the_session_s_cookie_is_kept_from_scripts_and_from_other_sites(console: Console) -> None:
    async with console.browser(said_of("ines")) as http:
        cookie = (await http.get("/subscriptions")).headers["set-cookie"]

    assert "httponly" in cookie.lower()
    assert "samesite=lax" in cookie.lower()
    assert "max-age=43200" in cookie.lower()


async def test_files_have_an_address_of_their_contents_and_are_kept(console: Console) -> None:
    page = (await console.http.get("/subscriptions")).text
    for name in ("console.css", "htmx.min.js", "icon.svg"):
        address = re.search(rf"/static/[0-9a-f]+/{re.escape(name)}", page)
        assert address is not None
        answer = await console.http.get(address[0])
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert httpx.URL(console.origin).host == "127.0.0.1"
