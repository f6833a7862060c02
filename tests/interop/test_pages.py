"""Each language's page is a recurring integration that runs as it stands, and the simulator's books say what it did."""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from amazon_pay_simulator.books import ExportedBooks
from tests.interop.languages import SETUP_SECONDS, WAYS, Way
from tests.interop.pages import ADDRESS, FOLDER, INDEX, PAGES, PUBLIC_KEY_ID, Page, read_page, shell
from tests.interop.programs import NO_PROXY, needed
from tests.interop.simulation import simulating

RUN_SECONDS = 60.0
NEVER_RUN = {"dotnet"}

pytestmark = pytest.mark.timeout(SETUP_SECONDS + RUN_SECONDS)


@dataclass(frozen=True)
class Followed:
    """A page that was followed to its end.

    Attributes:
        page: what it shows.
        printed: what its program printed.
        books: the simulator's, which served nobody else.
        paths: of Amazon's API, that its program asked for.
    """

    page: Page
    printed: str
    books: ExportedBooks
    paths: tuple[str, ...]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `--keys` makes it, once for all pages."""
    return tmp_path_factory.mktemp("keys")


@pytest_asyncio.fixture(scope="module", params=WAYS, ids=lambda way: way.name)
async def followed(request: pytest.FixtureRequest, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Does what a page says, against a simulator of its own."""
    way: Way = request.param
    needed("bash")
    page, folder = read_page(FOLDER / f"{way.page}.md"), tmp_path_factory.mktemp(way.page)
    (folder / "keys").symlink_to(keys)
    page.write_files(folder)
    async with simulating(keys, (PUBLIC_KEY_ID,), secure=way.secure) as simulation:
        environment = {**NO_PROXY, **await way.prepare(page, folder)}
        ended = await shell(folder, RUN_SECONDS, environment, page.run.replace(ADDRESS, simulation.address))
        assert ended.code == 0, f"{page.run}{ended.err}\nafter: {ended.out}"
        paths = tuple(path for path in simulation.paths if not path.startswith("/simulator/"))
        return Followed(page, ended.out, await simulation.books(), paths)


def test_a_page_prints_what_it_says(followed: Followed) -> None:
    assert followed.printed == followed.page.output


def test_a_charge_that_is_sent_twice_with_one_key_is_made_once_and_a_decline_charges_nobody(followed: Followed) -> None:
    first, renewal = followed.books.charges

    assert [(charge.charge_amount.amount, charge.status_details.state) for charge in (first, renewal)] == [
        (Decimal("5.00"), "Captured"),
        (Decimal("14.00"), "Captured"),
    ]
    made, again, declined = followed.books.calls
    assert (made.status, made.charge_id, made.replayed) == (201, renewal.charge_id, False)
    assert (again.status, again.replayed) == (201, True)
    assert again.idempotency_key == made.idempotency_key
    assert (declined.status, declined.reason_code, declined.charge_id) == (422, "SoftDeclined", None)
    assert declined.idempotency_key != made.idempotency_key


def test_a_refund_is_of_the_second_month(followed: Followed) -> None:
    (refund,) = followed.books.refunds

    assert refund.charge_id == followed.books.charges[1].charge_id
    assert refund.refund_amount.amount == Decimal("4.00")


def test_the_checkout_is_completed_and_its_charge_permission_closed(followed: Followed) -> None:
    (session,), (permission,) = followed.books.sessions, followed.books.permissions

    assert session.status_details.state == "Completed"
    assert session.charge_permission_id == permission.charge_permission_id
    assert (permission.charge_permission_type, permission.status_details.state) == ("Recurring", "Closed")
    assert [reason.reason_code for reason in permission.status_details.reasons or ()] == ["MerchantClosed"]
    assert {charge.charge_permission_id for charge in followed.books.charges} == {permission.charge_permission_id}


def test_a_page_makes_ten_calls_each_of_them_once(followed: Followed) -> None:
    resources = [path.partition("v2/")[2].split("/")[0] for path in followed.paths]

    assert resources == [
        *["checkoutSessions"] * 3,
        "chargePermissions",
        *["charges"] * 4,
        "refunds",
        "chargePermissions",
    ]


def test_every_page_is_run_but_those_that_say_that_they_are_not() -> None:
    assert {page.stem for page in PAGES} == {way.page for way in WAYS} | NEVER_RUN
    for name in NEVER_RUN:
        assert "was not run" in (FOLDER / f"{name}.md").read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_page_tells_the_same_story(path: Path) -> None:
    page = read_page(path)

    assert page.output == read_page(FOLDER / "curl.md").output
    assert ADDRESS in page.run
    assert PUBLIC_KEY_ID in "".join(page.files.values())


@pytest.mark.parametrize("path", [INDEX, *PAGES], ids=lambda path: path.name)
def test_what_a_page_links_to_is_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", path.read_text())

    assert links
    for target in links:
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_the_index_links_to_every_page() -> None:
    assert set(re.findall(r"\]\((\w+\.md)\)", INDEX.read_text())) >= {page.name for page in PAGES}
