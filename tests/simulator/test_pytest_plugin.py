"""The pytest plugin, in runs of pytest of its own: as it is installed, found by its entry point."""

import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _one_plugin_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that are installed here, schemathesis's is dear to import and has no part in this."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:schemathesis")


TESTS: Final = """
import json
import sys
import urllib.request
from pathlib import Path

def charged(simulator, permission, amount, key):
    import asyncio
    from decimal import Decimal
    from amazon_pay_client import AmazonPayClient, Region, load_private_key
    from amazon_pay_client.models import CreateChargeRequest, Currency, Price

    async def charge():
        async with AmazonPayClient(
            public_key_id=simulator.public_key_id,
            private_key=load_private_key(simulator.private_key_path),
            region=Region.NA,
            origin=simulator.origin,
        ) as client:
            return await client.charges.create(
                CreateChargeRequest(
                    charge_permission_id=permission,
                    charge_amount=Price(amount=Decimal(amount), currency_code=Currency.USD),
                    capture_now=True,
                ),
                idempotency_key=key,
            )

    return asyncio.run(charge())

def test_a_charge_is_in_the_books(amazon_pay_simulator):
    from amazon_pay_simulator.journal import Criteria
    from amazon_pay_simulator.verification import Expectation

    permission = amazon_pay_simulator.do(lambda simulator: simulator.open_permission()).charge_permission_id
    charge = charged(amazon_pay_simulator, permission, "9.99", "key-1")

    books = amazon_pay_simulator.do(lambda simulator: simulator.books())
    assert [each.charge_id for each in books.charges] == [charge.charge_id]
    once = Expectation(matching=Criteria(operation="CreateCharge", status=201), exactly=1)
    amazon_pay_simulator.do(lambda simulator: simulator.verify(once))

def test_the_next_one_begins_with_nothing(amazon_pay_simulator):
    books = amazon_pay_simulator.do(lambda simulator: simulator.books())
    assert (books.charges, books.permissions) == ([], [])
    assert amazon_pay_simulator.do(lambda simulator: simulator.journal()).last == 0
"""


def test_each_test_has_a_simulator_with_empty_books(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q")

    result.assert_outcomes(passed=2)


@pytest.mark.long
def test_it_is_set_up_by_a_file_that_a_setting_names(pytester: pytest.Pytester) -> None:
    pytester.makefile(
        ".toml",
        simulator='merchant_id = "A7"\ntls = true\n[[charge_permissions]]\ncurrency = "JPY"\n',
        pyproject='[tool.pytest.ini_options]\namazon_pay_simulator_config = ["simulator.toml"]\n',
    )
    pytester.makepyfile(
        """
        def test_what_the_file_says(amazon_pay_simulator):
            assert amazon_pay_simulator.merchant_id == "A7"
            assert amazon_pay_simulator.origin.startswith("https://127.0.0.1:")
            opened = amazon_pay_simulator.do(lambda simulator: simulator.books()).permissions
            assert [each.limits.amount_limit.currency_code for each in opened] == ["JPY"]

        def test_a_refusal_is_raised(amazon_pay_simulator):
            import pytest
            with pytest.raises(Exception, match="404"):
                amazon_pay_simulator.do(lambda simulator: simulator.close_by_buyer("C01-0-0"))
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q")

    result.assert_outcomes(passed=2)


@pytest.mark.long
def test_books_that_somebody_keeps_in_a_file_are_left_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMAZON_PAY_SIMULATOR_DATABASE", str(pytester.path / "books.db"))
    pytester.makepyfile("def test_one(amazon_pay_simulator): assert amazon_pay_simulator.origin")

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q")

    result.assert_outcomes(passed=1)
    assert not list(pytester.path.glob("books.db*"))


@pytest.mark.long
def test_a_run_whose_tests_do_not_ask_for_it_imports_no_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_of_it_is_there():
            assert "amazon_pay_simulator.pytest_plugin" in sys.modules
            assert {"fastapi", "uvicorn", "cryptography", "pydantic"} & set(sys.modules) == set()
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q")

    result.assert_outcomes(passed=1)


def test_it_is_found_by_its_entry_point() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "simulator" / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {"amazon_pay_simulator": "amazon_pay_simulator.pytest_plugin"}
    assert sys.modules["amazon_pay_simulator.pytest_plugin"] is not None
