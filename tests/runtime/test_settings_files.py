"""Secrets in files of their own, and settings in one file: the environment wins, and what is no setting is refused."""

import base64
import os
from pathlib import Path

import pytest

from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.profile import says_otherwise
from perennial_billing.runtime.settings import Settings, load_settings
from perennial_billing.runtime.settings_files import LARGEST_BYTES, secrets_of, shared_files

WEBHOOK = "whsec_" + base64.b64encode(b"w" * 24).decode()
FERNET = base64.urlsafe_b64encode(b"f" * 32).decode()
OF_SECRETS = {
    "private_key": "-----BEGIN PRIVATE KEY-----\nS3CRET\n-----END PRIVATE KEY-----",
    "private_key_passphrase": "S3CRET phrase",
    "accounts_secret": FERNET,
    "codec_keys": "2026:" + base64.b64encode(b"k" * 32).decode(),
    "portal_secrets": FERNET,
    "console_secret": "S3CRET of at least 32 characters, as it is",
    "console_proxy_secret": "S3CRET of the proxy's",
    "ledger_url": "postgresql://shop:S3CRET@db/books",
    "webhook_secret": WEBHOOK,
    "amount_hook_secret": WEBHOOK,
}


def settings_file(environment: pytest.MonkeyPatch, folder: Path, text: str) -> Path:
    path = folder / "perennial.toml"
    path.write_text(text)
    path.chmod(0o600)
    environment.setenv("PERENNIAL_SETTINGS_FILE", str(path))
    return path


def test_each_secret_may_stand_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert secrets_of(Settings) == list(OF_SECRETS)
    environment.setenv("PERENNIAL_WEBHOOK_URL", "https://shop.example/notices")
    environment.setenv("PERENNIAL_AMOUNT_HOOK_URL", "https://shop.example/amounts")
    for name, secret in OF_SECRETS.items():
        (tmp_path / name).write_text(f"{secret}\n")
        environment.setenv(f"PERENNIAL_{name.upper()}_FILE", str(tmp_path / name))

    settings = load_settings()

    for name, secret in OF_SECRETS.items():
        assert getattr(settings, name).get_secret_value() == secret


def test_a_secret_that_is_given_twice_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("sqlite:///a.db")
    environment.setenv("PERENNIAL_LEDGER_URL_FILE", str(tmp_path / "url"))
    environment.setenv("PERENNIAL_LEDGER_URL", "sqlite:///b.db")

    with pytest.raises(StartupError, match=r"^PERENNIAL_LEDGER_URL and PERENNIAL_LEDGER_URL_FILE: one of them is"):
        load_settings()


def test_an_empty_file_sets_nothing(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("\n")
    environment.setenv("PERENNIAL_CODEC_KEYS_FILE", str(tmp_path / "keys"))

    assert load_settings().codec_keys is None


def test_a_file_that_cannot_be_used_is_named_with_its_variable(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"a" * (LARGEST_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, why in {
        "missing": "No such file",
        "": "Is a directory",
        "pipe": "it is not an ordinary file",
        "large": "has more than",
        "binary": "text in UTF-8 is accepted",
    }.items():
        environment.setenv("PERENNIAL_WEBHOOK_SECRET_FILE", str(tmp_path / name))
        with pytest.raises(StartupError, match=rf"^PERENNIAL_WEBHOOK_SECRET_FILE: .* cannot be read: .*{why}"):
            load_settings()


def test_what_is_set_as_a_path_and_looks_like_a_key_is_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERENNIAL_WEBHOOK_SECRET_FILE", WEBHOOK + "A" * 40)

    with pytest.raises(StartupError) as refused:
        load_settings()
    assert WEBHOOK not in str(refused.value)


def test_a_file_may_have_all_settings_in_tomls_own_types(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(WEBHOOK)
    settings_file(
        environment,
        tmp_path,
        f"""
        environment = "live"
        ipn_port = 9000
        ipn_topic_arns = ["arn:a", "arn:b"]
        ipn_longest_age = "PT2H"
        worker_versioning = true
        merchant_id = ""
        webhook_url = "https://shop.example/notices"
        webhook_secret_file = "{tmp_path / "secret"}"
        calls_per_second = {{ CreateCharge = 8, GetCharge = 2.5 }}
        """,
    )

    settings = load_settings()

    assert (settings.environment, settings.ipn_port, settings.worker_versioning) == ("live", 9000, True)
    assert settings.ipn_topic_arns == ("arn:a", "arn:b")
    assert settings.calls_per_second == {"CreateCharge": 8.0, "GetCharge": 2.5}
    assert settings.webhook_secret is not None
    assert settings.webhook_secret.get_secret_value() == WEBHOOK
    assert settings.merchant_id is None


def test_the_environment_wins_over_the_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings_file(environment, tmp_path, 'task_queue = "of-the-file"\nledger_url = "sqlite:///file.db"\nregion = "eu"')
    (tmp_path / "url").write_text("sqlite:///environment.db")
    environment.setenv("PERENNIAL_TASK_QUEUE", "of-the-environment")
    environment.setenv("PERENNIAL_LEDGER_URL_FILE", str(tmp_path / "url"))

    settings = load_settings()

    assert (settings.task_queue, settings.region) == ("of-the-environment", "eu")
    assert settings.ledger_url is not None
    assert settings.ledger_url.get_secret_value() == "sqlite:///environment.db"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("webhok_url", "; webhook_url is, and may be meant"),
        ("PERENNIAL_WEBHOOK_URL", "; webhook_url is, and may be meant"),
        ("webhook_secret_fil", "; webhook_secret_file is, and may be meant"),
        ("zzz", ": docs/reference/settings.md lists them"),
    ],
)
def test_what_is_no_setting_is_refused_with_the_nearest_name(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str, nearest: str
) -> None:
    path = settings_file(environment, tmp_path, f'{name} = "S3CRET"')

    with pytest.raises(StartupError) as refused:
        load_settings()
    assert str(refused.value) == f"PERENNIAL_SETTINGS_FILE: {path} has {name}, which is no setting{nearest}"


def test_what_is_wrong_in_the_file_is_said_with_its_place_and_not_shown(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = settings_file(environment, tmp_path, 'ipn_port = "S3CRET"')
    with pytest.raises(StartupError, match=rf"^ipn_port in {path}: Input should be a valid integer"):
        load_settings()

    settings_file(environment, tmp_path, 'region = "eu"\nwebhook_secret = S3CRET')
    with pytest.raises(StartupError) as refused:
        load_settings()
    assert str(refused.value) == f"PERENNIAL_SETTINGS_FILE: {path} is not TOML: look line 2, column 18"

    settings_file(environment, tmp_path, 'ledger_url = "sqlite:///a"\nledger_url_file = "b"')
    with pytest.raises(StartupError, match="has ledger_url and ledger_url_file; one of them is accepted"):
        load_settings()


def test_files_with_secrets_that_others_may_read_are_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = settings_file(environment, tmp_path, 'private_key_passphrase = "S3CRET"')
    secret = tmp_path / "keys"
    secret.write_text(OF_SECRETS["codec_keys"])
    secret.chmod(0o600)
    environment.setenv("PERENNIAL_CODEC_KEYS_FILE", str(secret))
    assert shared_files(Settings) == []

    path.chmod(0o640)
    secret.chmod(0o604)
    assert shared_files(Settings) == [f"PERENNIAL_CODEC_KEYS_FILE: {secret}", f"PERENNIAL_SETTINGS_FILE: {path}"]

    settings_file(environment, tmp_path, 'region = "eu"').chmod(0o644)
    assert shared_files(Settings) == [f"PERENNIAL_CODEC_KEYS_FILE: {secret}"], "nothing in it is secret"


def test_a_file_of_settings_names_another_system_than_a_running_dev(tmp_path: Path) -> None:
    given = {"PERENNIAL_SETTINGS_FILE": str(tmp_path / "perennial.toml")}

    assert says_otherwise(given, {"TEMPORAL_ADDRESS": "127.0.0.1:7233"}) == ["PERENNIAL_SETTINGS_FILE"]
