"""A wrong host or path is a charge in the wrong world; the path rule is the official SDKs'."""

import pytest

from amazon_pay_client import Environment, Region
from amazon_pay_client.regions import endpoint_for, environment_of_key

NA, EU, JP = Region.NA, Region.EU, Region.JP
SANDBOX, LIVE = Environment.SANDBOX, Environment.LIVE


@pytest.mark.parametrize(
    ("region", "host"), [(NA, "pay-api.amazon.com"), (EU, "pay-api.amazon.eu"), (JP, "pay-api.amazon.jp")]
)
def test_each_region_has_its_host(region: Region, host: str) -> None:
    assert region.host == host
    assert endpoint_for("LIVE-KEY", region).url("charges") == f"https://{host}/v2/charges"


@pytest.mark.parametrize(
    ("key_id", "environment", "prefix", "effective"),
    [
        ("LIVE-AEXAMPLE", None, "/v2", LIVE),
        ("LIVE-AEXAMPLE", LIVE, "/v2", LIVE),
        ("live-aexample", None, "/v2", LIVE),
        ("SANDBOX-AEXAMPLE", None, "/v2", SANDBOX),
        ("SandboxAexample", SANDBOX, "/v2", SANDBOX),
        ("AEXAMPLE", LIVE, "/live/v2", LIVE),
        ("AEXAMPLE", SANDBOX, "/sandbox/v2", SANDBOX),
        ("AEXAMPLE-LIVE", SANDBOX, "/sandbox/v2", SANDBOX),
    ],
)
def test_the_path_names_the_environment_only_when_the_key_id_does_not(
    key_id: str, environment: Environment | None, prefix: str, effective: Environment
) -> None:
    endpoint = endpoint_for(key_id, Region.EU, environment)

    assert endpoint.url("charges/S02-1") == f"https://pay-api.amazon.eu{prefix}/charges/S02-1"
    assert endpoint.environment is effective


@pytest.mark.parametrize(
    ("key_id", "named"), [("LIVE-A", LIVE), ("sandbox-a", SANDBOX), ("A-SANDBOX", None), ("", None)]
)
def test_the_environment_of_a_key_is_read_from_its_prefix_alone(key_id: str, named: Environment | None) -> None:
    assert environment_of_key(key_id) is named


@pytest.mark.parametrize(
    ("key_id", "environment"), [("LIVE-AEXAMPLE", SANDBOX), ("sandbox-aexample", LIVE)], ids=["live", "sandbox"]
)
def test_an_environment_that_contradicts_the_key_id_is_refused_with_both_named(
    key_id: str, environment: Environment
) -> None:
    with pytest.raises(ValueError, match=r"^environment: .*'(live|sandbox)'.*'(live|sandbox)'") as caught:
        endpoint_for(key_id, Region.NA, environment)
    assert "AEXAMPLE" not in str(caught.value).upper()


def test_an_old_key_id_without_an_environment_is_refused_with_what_is_accepted() -> None:
    with pytest.raises(ValueError, match=r"^environment: .*must be given \(accepted are sandbox, live\)"):
        endpoint_for("AEXAMPLE", Region.NA)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8600", "http://127.0.0.1:8600/"])
def test_a_simulators_origin_replaces_scheme_and_host_and_keeps_the_path_rule(origin: str) -> None:
    assert endpoint_for("LIVE-A", JP, origin=origin).url("charges") == "http://127.0.0.1:8600/v2/charges"
    assert endpoint_for("A", JP, SANDBOX, origin).url("charges") == "http://127.0.0.1:8600/sandbox/v2/charges"


@pytest.mark.parametrize(
    ("text", "region"),
    [("na", NA), ("us", NA), ("eu", EU), ("de", EU), ("uk", EU), ("jp", JP), ("NA", NA), (" Jp\n", JP)],
)
def test_a_region_is_read_by_its_name_or_alias_in_any_case(text: str, region: Region) -> None:
    assert Region.parse(text) is region


@pytest.mark.parametrize("text", ["", "fr", "north america"])
def test_a_text_that_names_no_region_is_refused_with_the_accepted_ones(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^region: '{text}' .*accepted are de, eu, jp, na, uk, us"):
        Region.parse(text)


@pytest.mark.parametrize(
    ("region", "url"),
    [
        (NA, "https://payments.amazon.com/jr/your-account/ba/C01-1-2"),
        (EU, "https://payments.amazon.com/jr/your-account/ba/C01-1-2"),
        (JP, "https://pay.amazon.com/jp/jr/your-account/ba/C01-1-2"),
    ],
)
def test_a_buyer_mends_the_payment_method_on_the_page_of_the_region(region: Region, url: str) -> None:
    assert region.payment_method_update_url("C01-1-2") == url


@pytest.mark.parametrize(
    ("region", "path"), [(NA, "/jr/your-account/ba/C01-1-2"), (JP, "/jp/jr/your-account/ba/C01-1-2")]
)
def test_a_simulator_has_the_page_under_the_same_path(region: Region, path: str) -> None:
    assert region.payment_method_update_url("C01-1-2", "http://127.0.0.1:8600/") == f"http://127.0.0.1:8600{path}"


@pytest.mark.parametrize(
    ("region", "script"),
    [
        (NA, "https://static-na.payments-amazon.com/checkout.js"),
        (EU, "https://static-eu.payments-amazon.com/checkout.js"),
        (JP, "https://static-fe.payments-amazon.com/checkout.js"),
    ],
)
def test_a_button_is_drawn_by_the_script_of_the_region_or_of_a_simulator(region: Region, script: str) -> None:
    assert region.checkout_script() == script
    assert region.checkout_script("http://127.0.0.1:8600/") == "http://127.0.0.1:8600/checkout.js"
