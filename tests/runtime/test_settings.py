"""What is set wrongly is said in one line that names the variable and never the value, which may be secret."""

import base64
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from perennial_billing.runtime.errors import StartupError, shown
from perennial_billing.runtime.settings import Environment, LogFormat, Settings, load_settings, rates_in_words

SECRET = "S3CRET"
TRUE_OR_FALSE = "Input should be a valid boolean"

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"x" * 24).decode()

REFUSED = [
    ("ENVIRONMENT", SECRET, "'sandbox' or 'live'"),
    ("ENVIRONMENT", "LIVE", "'sandbox' or 'live'"),
    ("ENVIRONMENT", "production", "'sandbox' or 'live'"),
    ("AMAZON_PAY_ORIGIN", SECRET, "https?://"),
    ("AMAZON_PAY_ORIGIN", f"ftp://{SECRET}", "https?://"),
    ("AMAZON_PAY_ORIGIN", f"http://{SECRET}/path", "https?://"),
    ("AMAZON_PAY_ORIGIN", f"http://{SECRET} ", "https?://"),
    ("SEND_VIRTUAL_TIME", SECRET, TRUE_OR_FALSE),
    ("GRACEFUL_SHUTDOWN_SECONDS", SECRET, "valid number"),
    ("GRACEFUL_SHUTDOWN_SECONDS", "-1", "greater than or equal to 0"),
    ("GRACEFUL_SHUTDOWN_SECONDS", "601", "less than or equal to 600"),
    ("GRACEFUL_SHUTDOWN_SECONDS", "nan", "equal to"),
    ("GRACEFUL_SHUTDOWN_SECONDS", "inf", "less than or equal to 600"),
    ("IPN_PORT", SECRET, "valid integer"),
    ("IPN_PORT", "8601.5", "valid integer"),
    ("IPN_PORT", "-1", "greater than or equal to 0"),
    ("IPN_PORT", "65536", "less than or equal to 65535"),
    ("IPN_LONGEST_AGE", SECRET, "valid timedelta"),
    ("IPN_LONGEST_AGE", "PT0S", "greater than 0"),
    ("HEALTH_PORT", SECRET, "valid integer"),
    ("HEALTH_PORT", "65536", "less than or equal to 65535"),
    ("METRICS_ADDRESS", SECRET, "match pattern"),
    ("METRICS_ADDRESS", f"http://{SECRET}:9464", "match pattern"),
    ("LOG_LEVEL", SECRET, "DEBUG|INFO|WARNING|ERROR"),
    ("LOG_LEVEL", "info", "DEBUG|INFO|WARNING|ERROR"),
    ("LOG_FORMAT", SECRET, "'json' or 'console'"),
    ("CALLS_PER_SECOND", "-2", "greater than 0"),
    ("WEBHOOK_URL", SECRET, "https?://"),
    ("CODEC_ORIGINS", "*", "scheme and host"),
    ("CODEC_ORIGINS", "http://*.shop.example", "scheme and host"),
    ("CODEC_ORIGINS", f"https://shop.example/{SECRET}", "scheme and host"),
    ("PLAIN_HISTORIES", SECRET, TRUE_OR_FALSE),
]

LIVE_REFUSES = [
    ("AMAZON_PAY_ORIGIN", f"http://{SECRET}"),
    ("SEND_VIRTUAL_TIME", "true"),
    ("IPN_TRUSTED_CERTIFICATE_PATH", f"/{SECRET}.pem"),
]

OPTIONAL = [
    "MERCHANT_ID",
    "PUBLIC_KEY_ID",
    "PRIVATE_KEY",
    "PRIVATE_KEY_PATH",
    "PRIVATE_KEY_PASSPHRASE",
    "AMAZON_PAY_ORIGIN",
    "IPN_TRUSTED_CERTIFICATE_PATH",
    "HEALTH_PORT",
    "METRICS_ADDRESS",
    "TEMPORAL_BINARY",
]


def refusal() -> str:
    """What is said of the environment as it stands: one line, also where the error is printed with its causes."""
    with pytest.raises(StartupError) as refused:
        load_settings()
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(("name", "value", "accepted"), REFUSED)
def test_a_refusal_names_the_variable_and_what_is_accepted_and_not_the_value(
    environment: pytest.MonkeyPatch, name: str, value: str, accepted: str
) -> None:
    environment.setenv(f"PERENNIAL_{name}", value)

    said = refusal()

    assert said.startswith(f"PERENNIAL_{name}: ")
    assert accepted in said
    assert value.strip("-") not in said.removeprefix(f"PERENNIAL_{name}: ").replace("info", "")


def test_without_any_variable_everything_has_a_default_that_risks_nothing() -> None:
    settings = load_settings()

    assert settings.environment is Environment.SANDBOX
    assert settings.log_format is LogFormat.JSON
    assert settings.ipn_host == "127.0.0.1"
    assert settings.ipn_topic_arns == ()
    assert not settings.send_virtual_time
    assert settings.graceful_shutdown_seconds > 40, "Amazon's slowest answer has to be awaited"


def test_every_variable_is_read(environment: pytest.MonkeyPatch) -> None:
    given = {
        "environment": "sandbox",
        "region": "eu",
        "merchant_id": "A1",
        "public_key_id": "SANDBOX-A",
        "private_key": SECRET,
        "private_key_path": "/key.pem",
        "private_key_passphrase": SECRET,
        "amazon_pay_origin": "http://127.0.0.1:8600",
        "send_virtual_time": "true",
        "accounts_path": "/accounts.toml",
        "accounts_secret": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG=",
        "calls_per_second": "2.5",
        "codec_keys": "2026:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG=",
        "plain_histories": "false",
        "task_queue": "another",
        "worker_versioning": "true",
        "deployment_name": "shop",
        "build_id": "1.2.3-abc",
        "cached_subscriptions": "300",
        "graceful_shutdown_seconds": "1.5",
        "ipn_host": "0.0.0.0",
        "ipn_port": "0",
        "ipn_topic_arns": " arn:a , arn:b ,, ",
        "ipn_longest_age": "PT1H",
        "ipn_trusted_certificate_path": "/certificate.pem",
        "api_host": "0.0.0.0",
        "api_port": "0",
        "api_requests_per_minute": "60",
        "portal_host": "0.0.0.0",
        "portal_port": "0",
        "portal_url": "https://billing.shop.example/mine",
        "portal_secrets": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG=",
        "portal_path": "/portal.toml",
        "portal_requests_per_minute": "30",
        "codec_origins": " https://temporal.shop.example, http://localhost:8080 ",
        "health_host": "0.0.0.0",
        "health_port": "8603",
        "metrics_address": "0.0.0.0:9464",
        "log_level": "ERROR",
        "log_format": "console",
        "ledger_url": "postgresql://shop:secret@db/books",
        "data_folder": "/data",
        "temporal_binary": "/bin/temporal",
        "webhook_url": "https://shop.example/notices",
        "webhook_secret": WEBHOOK_SECRET,
        "webhook_private_addresses": "true",
        "amount_hook_url": "https://shop.example/amounts",
        "amount_hook_secret": WEBHOOK_SECRET,
    }
    assert given.keys() == Settings.model_fields.keys()
    for name, value in given.items():
        environment.setenv(f"PERENNIAL_{name.upper()}", value)

    settings = load_settings()

    assert settings.model_fields_set == given.keys()
    assert settings.ipn_topic_arns == ("arn:a", "arn:b")
    assert settings.codec_origins == ("https://temporal.shop.example", "http://localhost:8080")
    assert settings.private_key == settings.private_key_passphrase == SecretStr(SECRET)
    assert (settings.merchant_id, settings.ipn_port, settings.send_virtual_time) == ("A1", 0, True)
    assert settings.ipn_trusted_certificate_path == Path("/certificate.pem")


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_variable_is_as_one_that_is_not_set(environment: pytest.MonkeyPatch, name: str) -> None:
    """A line such as `PERENNIAL_MERCHANT_ID=` in an environment file has no value yet; it does not set one."""
    environment.setenv(f"PERENNIAL_{name}", "")

    assert load_settings() == Settings()
    assert getattr(load_settings(), name.lower()) is None


@pytest.mark.parametrize(("name", "value"), LIVE_REFUSES)
def test_what_would_be_dangerous_with_real_money_is_refused_in_live_only(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(f"PERENNIAL_{name}", value)
    assert getattr(load_settings(), name.lower())

    environment.setenv("PERENNIAL_ENVIRONMENT", "live")
    assert refusal() == (
        f"PERENNIAL_{name}: is accepted only with PERENNIAL_ENVIRONMENT=sandbox; the environment is live"
    )


@pytest.mark.parametrize(
    ("url", "secret", "named"),
    [
        ("https://shop.example/", None, "both or neither"),
        (None, WEBHOOK_SECRET, "both or neither"),
        ("https://shop.example/", SECRET, "PERENNIAL_WEBHOOK_SECRET: is not a secret"),
        ("https://shop.example/", "whsec_" + base64.b64encode(SECRET.encode()).decode(), "24 to 64 bytes"),
        ("https://shop.example/", "whsec_***", "whsec_ and the base64"),
    ],
)
def test_webhooks_are_signed_with_a_secret_that_is_one(
    environment: pytest.MonkeyPatch, url: str | None, secret: str | None, named: str
) -> None:
    for name, value in (("URL", url), ("SECRET", secret)):
        if value is not None:
            environment.setenv(f"PERENNIAL_WEBHOOK_{name}", value)

    assert named in refusal()


def test_notices_of_real_buyers_are_not_sent_in_the_open(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_WEBHOOK_URL", "http://shop.example/")
    environment.setenv("PERENNIAL_WEBHOOK_SECRET", WEBHOOK_SECRET)
    assert load_settings().webhook_url == "http://shop.example/"

    environment.setenv("PERENNIAL_ENVIRONMENT", "live")
    assert refusal() == "PERENNIAL_WEBHOOK_URL: http is accepted only with PERENNIAL_ENVIRONMENT=sandbox"


def test_live_needs_nothing_more_than_its_name(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_ENVIRONMENT", "live")
    environment.setenv("PERENNIAL_SEND_VIRTUAL_TIME", "false")

    assert load_settings().environment is Environment.LIVE


@pytest.mark.parametrize("value", [None, ""])
def test_a_required_setting_that_is_missing_is_named(value: str | None) -> None:
    with pytest.raises(StartupError) as refused:
        Settings(public_key_id=value).required("public_key_id")

    assert str(refused.value) == "PERENNIAL_PUBLIC_KEY_ID: is not set, and this command needs it"


def test_a_required_setting_that_is_there_is_given() -> None:
    assert Settings(public_key_id="SANDBOX-A").required("public_key_id") == "SANDBOX-A"


def test_the_private_key_comes_from_its_text_or_from_its_file() -> None:
    assert Settings(private_key=SecretStr(SECRET)).private_key_source == SECRET.encode()
    assert Settings(private_key_path=Path("key.pem")).private_key_source == Path("key.pem")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (Settings(), "neither is"),
        (Settings(private_key=SecretStr(SECRET), private_key_path=Path(f"{SECRET}.pem")), "both are"),
    ],
)
def test_a_private_key_from_nowhere_or_from_two_places_is_refused(settings: Settings, found: str) -> None:
    with pytest.raises(StartupError) as refused:
        _ = settings.private_key_source

    assert str(refused.value) == (f"PERENNIAL_PRIVATE_KEY_PATH or PERENNIAL_PRIVATE_KEY: one must be set; {found}")


def test_no_way_of_printing_the_settings_shows_a_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_PRIVATE_KEY", SECRET)
    environment.setenv("PERENNIAL_PRIVATE_KEY_PASSPHRASE", SECRET)
    settings = load_settings()
    assert settings.private_key_source == SECRET.encode()

    printed = [repr(settings), str(settings), f"{settings}", settings.model_dump_json()]
    printed += [str(settings.model_dump()), str(settings.model_dump(mode="json")), str(dict(settings))]
    for text in printed:
        assert SECRET not in text


def test_an_error_that_code_meets_shows_no_secret_either(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_PRIVATE_KEY", SECRET)

    with pytest.raises(ValidationError) as refused:
        Settings(environment=Environment.LIVE, send_virtual_time=True)

    assert SECRET not in str(refused.value)


def test_settings_do_not_change_while_a_process_runs() -> None:
    settings = Settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.environment = Environment.LIVE  # type: ignore[misc]


def test_what_looks_like_a_key_is_not_shown_wherever_its_slashes_are(environment: pytest.MonkeyPatch) -> None:
    """A key in one line has a slash every 64 letters or so: chance alone would decide what is found between two."""
    key = "/".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"[:30] for _ in range(20))

    assert key[:40] not in shown(key[:200])
    environment.setenv("PERENNIAL_PRIVATE_KEY_PATH", key)
    with pytest.raises(StartupError, match="looks like a key itself") as caught:
        load_settings()
    assert key[:40] not in str(caught.value)
    assert shown("/etc/perennial/keys/amazon-pay-private-key.pem") == "/etc/perennial/keys/amazon-pay-private-key.pem"


@pytest.mark.parametrize(
    ("given", "rates"),
    [
        ("2.5", 2.5),
        ("CreateCharge=8,GetCharge=2.5", {"CreateCharge": 8.0, "GetCharge": 2.5}),
        (" CreateCharge = 8 , ", {"CreateCharge": 8.0}),
    ],
)
def test_calls_a_second_are_one_number_or_one_for_each_operation(
    environment: pytest.MonkeyPatch, given: str, rates: object
) -> None:
    environment.setenv("PERENNIAL_CALLS_PER_SECOND", given)

    found = load_settings().calls_per_second

    assert found == rates
    assert found is not None
    environment.setenv("PERENNIAL_CALLS_PER_SECOND", rates_in_words(found))
    assert load_settings().calls_per_second == rates


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("CreateCharge=8,CreateCharge=9", "CreateCharge is given twice"),
        ("CreateCharge=0", "Input should be"),
        ("fast", "Input should be a valid number"),
        ("inf", "Input should be a finite number"),
    ],
)
def test_calls_a_second_that_are_none_are_refused(environment: pytest.MonkeyPatch, given: str, reason: str) -> None:
    environment.setenv("PERENNIAL_CALLS_PER_SECOND", given)

    with pytest.raises(StartupError, match=rf"^PERENNIAL_CALLS_PER_SECOND: {reason}"):
        load_settings()


def test_several_secrets_are_told_apart_by_commas(environment: pytest.MonkeyPatch) -> None:
    first, second = "A" * 43 + "=", "-_" * 21 + "A="
    environment.setenv("PERENNIAL_ACCOUNTS_SECRET", f"{first}, {second}")
    environment.setenv("PERENNIAL_PORTAL_SECRETS", f"{second} ,{first}")

    assert load_settings().accounts_secrets == [first, second]
    assert load_settings().portal_keys == [second, first]


@pytest.mark.parametrize("secret", ["short", "A" * 44, f"{'A' * 43}=,short"])
@pytest.mark.parametrize("name", ["PERENNIAL_ACCOUNTS_SECRET", "PERENNIAL_PORTAL_SECRETS"])
def test_a_secret_that_seals_nothing_is_refused_and_not_shown(
    environment: pytest.MonkeyPatch, name: str, secret: str
) -> None:
    environment.setenv(name, secret)

    with pytest.raises(StartupError, match=rf"^{name}: 32 bytes in URL-safe base64") as refused:
        load_settings()
    assert secret not in str(refused.value)


def test_buyers_open_their_page_by_https_where_they_are_real(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_PORTAL_URL", "http://127.0.0.1:8605")
    assert load_settings().portal_url == "http://127.0.0.1:8605"

    environment.setenv("PERENNIAL_ENVIRONMENT", "live")
    assert refusal() == "PERENNIAL_PORTAL_URL: http is accepted only with PERENNIAL_ENVIRONMENT=sandbox"
