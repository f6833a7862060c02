"""Settings of every process, from environment variables named `PERENNIAL_` and the field's name in capitals, and from
files (`runtime.settings_files`).

The connection to Temporal is set as for every Temporal tool: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`,
`TEMPORAL_API_KEY`, `TEMPORAL_TLS_...`, or a profile in `TEMPORAL_CONFIG_FILE`.
"""

import base64
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from perennial_billing.runtime.codec_keys import CodecKey, codec_keys_in
from perennial_billing.runtime.errors import StartupError, shown
from perennial_billing.runtime.settings_files import (
    FILE_SUFFIX,
    SETTINGS_FILE,
    EnvironmentAndSecretFiles,
    SettingsInFile,
    settings_in_file,
)

PREFIX = "PERENNIAL_"

LONGEST_IPN_AGE = timedelta(days=14, hours=1)
"""Amazon sends a notification again for up to 14 days (Amazon Pay, "IPN response"), with the time of the first try."""

WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins, not one
SHORTEST_WEBHOOK_SECRET = 24
LONGEST_WEBHOOK_SECRET = 64
"""Bytes (Standard Webhooks specification)."""


class Environment(StrEnum):
    """Amazon Pay's environment. Settings that would be dangerous with real money are refused in `live`."""

    SANDBOX = "sandbox"
    LIVE = "live"


class LogFormat(StrEnum):
    """JSON lines for machines, coloured lines for people."""

    JSON = "json"
    CONSOLE = "console"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def is_webhook_secret(text: str) -> bool:
    """Whether it is a secret of the Standard Webhooks specification: `whsec_` and the base64 of 24 to 64 bytes."""
    if not text.startswith(WEBHOOK_SECRET_PREFIX):
        return False
    try:
        secret = base64.b64decode(text.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True)
    except ValueError:
        return False
    return SHORTEST_WEBHOOK_SECRET <= len(secret) <= LONGEST_WEBHOOK_SECRET


def _is_a_path(value: object) -> object:
    """Before anything is made of it that shows it: a key belongs into another variable, and is never shown."""
    if _NOT_OF_A_PATH.search(str(value)):
        raise ValueError("the path of a file is accepted; what is set looks like a key itself, and is not shown")
    return value


_NOT_OF_A_PATH: Final = re.compile(r"-----|[\x00-\x1f\x7f]|[A-Za-z0-9+/=]{128}|.{1025}")
"""Of PEM text and its like; a directory of 128 letters and digits in a row is nobody's."""

FilePath = Annotated[Path, BeforeValidator(_is_a_path)]
"""Where a file is, and never what it holds."""


def _is_an_origin(value: str) -> str:
    """As browsers send it; every origin (`*`) would be everybody who can make somebody open a page."""
    if not _ORIGIN.fullmatch(value):
        raise ValueError("scheme and host are accepted, and a port, such as https://temporal.shop.example")
    return value


_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")

Origin = Annotated[str, AfterValidator(_is_an_origin)]
"""From where a page of a browser came."""


def _rates(value: object) -> object:
    """`CreateCharge=8,GetCharge=20` as a mapping; a number stays one."""
    if not isinstance(value, str) or "=" not in value:
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    names = [name.strip() for name, _, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice; one number for each operation is accepted")
    return {name: rate.strip() for name, (_, _, rate) in zip(names, pairs, strict=True)}


def _is_fernet_secret(secret: str) -> bool:
    try:
        return len(base64.b64decode(secret.encode(), altchars=b"-_", validate=True)) == _FERNET_BYTES
    except ValueError:
        return False


_FERNET_BYTES: Final = 32

NEW_ACCOUNTS_SECRET: Final = "openssl rand -base64 32 | tr '+/' '-_'"  # noqa: S105 - how one is made
"""The command that makes a secret for `PERENNIAL_ACCOUNTS_SECRET`, and for `PERENNIAL_PORTAL_SECRETS`."""

PerSecond = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""So often a second."""

CallRates = PerSecond | Mapping[str, PerSecond]
"""How often each operation of Amazon's is called a second: one number for all, or one by the operation's name."""


def rates_in_words(rates: CallRates) -> str:
    """As the environment variable has them."""
    if isinstance(rates, Mapping):
        return ",".join(f"{operation}={rate}" for operation, rate in rates.items())
    return str(rates)


Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 for any free one."""


class Settings(BaseSettings):
    """One object for all processes; each reads what it needs.

    Attributes:
        environment: Amazon Pay's, `sandbox` or `live`. What would be dangerous with real money is refused in `live`.
        region: the seller account's region: `na` (`us`), `eu` (`de`, `uk`) or `jp`.
        merchant_id: the seller id; notifications for another are refused, and settlements of another. Any when not
            given; the receiver needs it in `live`.
        public_key_id: of the key pair made in Seller Central; whoever calls Amazon needs it.
        private_key: the private key as PEM text; this or its file is needed by whoever calls Amazon.
        private_key_path: the file with the private key (PEM), instead of its text.
        private_key_passphrase: when the private key is encrypted.
        amazon_pay_origin: scheme and host of a simulator instead of Amazon's; sandbox only.
        send_virtual_time: tell the simulator the workflow's time with each call; sandbox only.
        accounts_path: a TOML file of further merchant accounts, each a table `[accounts.NAME]`; see
            docs/operations/accounts.md.
        accounts_secret: what the private keys of accounts in the ledger are encrypted with: 32 bytes in URL-safe
            base64; several are separated by commas, the first encrypts, and each opens.
        calls_per_second: how often each operation of Amazon's is called a second for an account, by all workers
            together: one number for all, or `CreateCharge=8,GetCharge=20`; Amazon's own limit for the environment for
            what is not given.
        codec_keys: what Temporal's histories are encrypted with: `ID:KEY`, where the key is the base64 of 32 bytes;
            several are separated by commas or line ends, the first encrypts, and each opens. Needed in `live`; see
            docs/operations/secrets.md.
        plain_histories: whether histories may stay plain in `live`, where there is no key.
        task_queue: the Temporal task queue; others begin with its name.
        worker_versioning: whether workers of subscriptions are versions of a worker deployment, among which
            `perennial deploy` chooses; without, all workers are alike to Temporal.
        deployment_name: of that deployment.
        build_id: of this build; the version and a digest of what decides when it is not given.
        cached_subscriptions: how many subscriptions a worker keeps in memory between two things that happen to them,
            about 150 kB each; of others it reads the history again.
        graceful_shutdown_seconds: how long a stopping worker lets calls finish, in seconds; above the client's 40 s.
        ipn_host: where the IPN receiver listens.
        ipn_port: the port it listens on.
        ipn_topic_arns: the SNS topics whose messages are taken, separated by commas; every topic when not given, and
            needed in `live`.
        ipn_longest_age: how long ago a message may have been published, in seconds or as an ISO 8601 duration such
            as `PT1H`; not below what Amazon needs to send one again after an outage of yours.
        ipn_trusted_certificate_path: a certificate to trust instead of Amazon's, the simulator's; sandbox only.
        api_host: where the HTTP API listens.
        api_port: the port it listens on.
        api_requests_per_minute: how often each key may be used a minute, of each process.
        portal_host: where the buyer's page listens.
        portal_port: the port it listens on.
        portal_url: where buyers reach it, such as `https://billing.shop.example`: what its links begin with. `https`,
            in live; where it listens when it is not given, in sandbox.
        portal_secrets: what its links are sealed with: 32 bytes in URL-safe base64; several are separated by commas,
            the first seals, and each opens.
        portal_path: a TOML file that says what buyers may do there, and how it looks; see docs/portal.md.
        portal_requests_per_minute: how often it may be used a minute from one address, of each process.
        codec_origins: from where a browser may ask the API to decrypt histories: scheme and host of Temporal's Web UI,
            separated by commas; nobody may when it is not given. See docs/operations/secrets.md.
        health_host: where a process answers whether it lives (`/live`) and is ready (`/ready`).
        health_port: the port it answers on; nowhere when it is not given.
        metrics_address: host:port where Prometheus finds `/metrics`; not served when it is not given.
        log_level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_format: `json` or `console`.
        ledger_url: the database of the ledger, `postgresql://user:password@host:5432/database` or
            `sqlite:////folder/ledger.db`, of which `perennial setup` makes the tables; when it is not given, an SQLite
            file in the data folder with tables of its own making.
        data_folder: where such a file is kept; the system's folder for the data of programs when it is not given.
        temporal_binary: the `temporal` program for the embedded server; found on the PATH when not given.
        webhook_url: the merchant's endpoint for notices; they are logged when it is not given. `https`, in live.
        webhook_secret: what notices are signed with: `whsec_` and the base64 of 24 to 64 bytes (Standard Webhooks
            specification).
        webhook_private_addresses: whether endpoints for notices may be in a network of one's own, in live; in sandbox
            they always may.
        amount_hook_url: the merchant's endpoint that says what a period costs; plans with `amounts = "asked"` need it.
            `https`, in live.
        amount_hook_secret: what the questions are signed with, as notices are.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by ours
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no process reads .env by itself
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a file is named by its setting
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where settings come from; what comes first wins."""
        return init_settings, EnvironmentAndSecretFiles(settings_cls), SettingsInFile(settings_cls)

    environment: Environment = Environment.SANDBOX
    region: str = "na"
    merchant_id: str | None = None
    public_key_id: str | None = None
    private_key: SecretStr | None = None
    private_key_path: FilePath | None = None
    private_key_passphrase: SecretStr | None = None
    amazon_pay_origin: Annotated[str, Field(pattern=r"^https?://[^/\s]+/?$")] | None = None
    send_virtual_time: bool = False

    accounts_path: FilePath | None = None
    accounts_secret: SecretStr | None = None
    calls_per_second: Annotated[CallRates | None, NoDecode, BeforeValidator(_rates)] = None

    codec_keys: SecretStr | None = None
    plain_histories: bool = False

    task_queue: Annotated[str, Field(min_length=1)] = "perennial"
    worker_versioning: bool = False
    deployment_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{1,128}$")] = "perennial"
    build_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    cached_subscriptions: Annotated[int, Field(ge=10, le=100_000)] = 1_000
    graceful_shutdown_seconds: Annotated[float, Field(ge=0, le=600)] = 45.0

    ipn_host: str = "127.0.0.1"
    ipn_port: Port = 8601
    ipn_topic_arns: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    ipn_longest_age: Annotated[timedelta, Field(gt=timedelta(0))] = LONGEST_IPN_AGE
    ipn_trusted_certificate_path: FilePath | None = None

    api_host: str = "127.0.0.1"
    api_port: Port = 8602
    api_requests_per_minute: Annotated[int, Field(ge=1)] = 1_200

    portal_host: str = "127.0.0.1"
    portal_port: Port = 8605
    portal_url: Annotated[str, Field(pattern=r"^https?://[^/\s?#]+(/[^\s?#]*)?$")] | None = None
    portal_secrets: SecretStr | None = None
    portal_path: FilePath | None = None
    portal_requests_per_minute: Annotated[int, Field(ge=1)] = 60

    codec_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)] = ()

    health_host: str = "127.0.0.1"
    health_port: Port | None = None

    metrics_address: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:]+):[0-9]{1,5}$")] | None = None
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    log_format: LogFormat = LogFormat.JSON

    ledger_url: SecretStr | None = None
    data_folder: FilePath | None = None

    temporal_binary: FilePath | None = None

    webhook_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    webhook_secret: SecretStr | None = None
    webhook_private_addresses: bool = False
    amount_hook_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    amount_hook_secret: SecretStr | None = None

    @model_validator(mode="after")
    def _endpoints_are_signed_for(self) -> Self:
        self._is_signed_for("WEBHOOK", self.webhook_url, self.webhook_secret)
        self._is_signed_for("AMOUNT_HOOK", self.amount_hook_url, self.amount_hook_secret)
        return self

    def _is_signed_for(self, name: str, url: str | None, secret: SecretStr | None) -> None:
        if (url is None) != (secret is None):
            raise ValueError(f"{PREFIX}{name}_URL and {PREFIX}{name}_SECRET: both or neither must be set")
        if secret is not None and not is_webhook_secret(secret.get_secret_value()):
            raise ValueError(
                f"{PREFIX}{name}_SECRET: is not a secret of the Standard Webhooks specification: whsec_ and the "
                "base64 of 24 to 64 bytes"
            )
        if self.environment is Environment.LIVE and (url or "").startswith("http:"):
            raise ValueError(f"{PREFIX}{name}_URL: http is accepted only with {PREFIX}ENVIRONMENT=sandbox")

    @model_validator(mode="after")
    def _nothing_dangerous_with_real_money(self) -> Self:
        if self.environment is Environment.SANDBOX:
            return self
        for field in ("amazon_pay_origin", "send_virtual_time", "ipn_trusted_certificate_path"):
            if getattr(self, field):
                raise ValueError(
                    f"{PREFIX}{field.upper()}: is accepted only with {PREFIX}ENVIRONMENT=sandbox; "
                    f"the environment is {self.environment.value}"
                )
        return self

    @model_validator(mode="after")
    def _accounts_can_be_kept(self) -> Self:
        if not all(map(_is_fernet_secret, self.accounts_secrets)):
            raise ValueError(
                f"{PREFIX}ACCOUNTS_SECRET: 32 bytes in URL-safe base64 are accepted, or several such with commas "
                f"between them; `{NEW_ACCOUNTS_SECRET}` makes one"
            )
        return self

    @model_validator(mode="after")
    def _histories_can_be_encrypted(self) -> Self:
        try:
            keys = self.codec_key_ring
        except ValueError as error:
            raise ValueError(f"{PREFIX}CODEC_KEYS: {error}") from None
        if keys and self.plain_histories:
            raise ValueError(f"{PREFIX}PLAIN_HISTORIES: true is accepted without {PREFIX}CODEC_KEYS only")
        return self

    @property
    def codec_key_ring(self) -> tuple[CodecKey, ...]:
        """What opens Temporal's histories; the first encrypts them. None where they are plain."""
        return codec_keys_in(self.codec_keys.get_secret_value()) if self.codec_keys is not None else ()

    @property
    def accounts_secrets(self) -> list[str]:
        """What opens the private keys of accounts in the ledger; the first encrypts them."""
        return _parts_of(self.accounts_secret)

    @model_validator(mode="after")
    def _portal_can_be_trusted(self) -> Self:
        if not all(map(_is_fernet_secret, self.portal_keys)):
            raise ValueError(
                f"{PREFIX}PORTAL_SECRETS: 32 bytes in URL-safe base64 are accepted, or several such with commas "
                f"between them; `{NEW_ACCOUNTS_SECRET}` makes one"
            )
        if self.environment is Environment.LIVE and (self.portal_url or "").startswith("http:"):
            raise ValueError(f"{PREFIX}PORTAL_URL: http is accepted only with {PREFIX}ENVIRONMENT=sandbox")
        return self

    @property
    def portal_keys(self) -> list[str]:
        """What opens links of the buyer's page; the first seals them."""
        return _parts_of(self.portal_secrets)

    @property
    def reaches_private_addresses(self) -> bool:
        """Whether endpoints for notices may be in a network of one's own."""
        return self.environment is Environment.SANDBOX or self.webhook_private_addresses

    def required(self, field: str) -> str:
        """The value of a setting that a process cannot do without.

        Raises:
            StartupError: it is not set.
        """
        value = getattr(self, field)
        if not value:
            raise StartupError(f"{PREFIX}{field.upper()}: is not set, and this command needs it")
        return str(value)

    @property
    def private_key_source(self) -> bytes | Path:
        """The private key's PEM text, or the path of its file.

        Raises:
            StartupError: neither or both are set.
        """
        sources: list[bytes | Path] = []
        if self.private_key is not None:
            sources.append(self.private_key.get_secret_value().encode())
        if self.private_key_path is not None:
            sources.append(self.private_key_path)
        if len(sources) != 1:
            found = "both are" if sources else "neither is"
            raise StartupError(f"{PREFIX}PRIVATE_KEY_PATH or {PREFIX}PRIVATE_KEY: one must be set; {found}")
        return sources[0]


def _parts_of(secrets: SecretStr | None) -> list[str]:
    return [part.strip() for part in secrets.get_secret_value().split(",") if part.strip()] if secrets else []


def load_settings() -> Settings:
    """Reads the environment, and the files that it names.

    Raises:
        StartupError: naming the variable and what is accepted; never its value, which may be secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = f"{_where(str(first['loc'][0]))}: " if first["loc"] else ""
        raise StartupError(f"{variable}{first['msg'].removeprefix('Value error, ')}") from None


def _where(name: str) -> str:
    """The variable that a setting was read from, or its place in the file of settings."""
    variable = f"{PREFIX}{name.upper()}"
    if not {variable, variable + FILE_SUFFIX.upper()} & os.environ.keys() and name in settings_in_file(Settings):
        return f"{name} in {shown(os.environ[PREFIX + SETTINGS_FILE])}"
    return variable
