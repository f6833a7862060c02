"""Every option of the program: from its command line, from the environment, or from a TOML file.

What the command line says counts before the environment, the environment before the file, and the file before the
default. Fields within a table count one by one: a file may say how long refunds take, and the command line in which
zone months are counted.
"""

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from amazon_pay_client.files import read_small_file
from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.config import JOURNAL_SIZE, OpenedPermission
from amazon_pay_simulator.faults import FaultPlan
from amazon_pay_simulator.in_words import in_one_line
from amazon_pay_simulator.merchants import MerchantId, PublicKeyId
from amazon_pay_simulator.notifications import ReceiverUrl

PROGRAM: Final = "amazon-pay-simulator"
ENVIRONMENT_PREFIX: Final = "AMAZON_PAY_SIMULATOR_"
LARGEST_FILE_BYTES: Final = 1024 * 1024

_DESCRIPTION: Final = (
    "A local Amazon Pay that official SDKs can talk to, with a control API under /simulator (described at /docs) and a "
    "page that shows every request (/simulator)."
)
_EPILOG: Final = (
    f"`{PROGRAM} wait` waits until a simulator serves; `{PROGRAM} wait --help` has its options. Every option can also "
    f"be set in the environment ({ENVIRONMENT_PREFIX}PORT=8600, {ENVIRONMENT_PREFIX}ASSUMPTIONS__REFUND_TAKES=PT5S) "
    'and in the file of --config (port = 8600, and refund_takes = "PT5S" in a table [assumptions]).'
)


class ConfigurationError(Exception):
    """An option that cannot be used; the message is one line."""


class KeySettings(BaseModel):
    """A key pair of a merchant's."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    public_key_id: PublicKeyId
    """The id that requests are signed under."""
    public_key_path: Path | None = None
    """Your own public key (PEM); when not given a pair is made, or found, in the folder of keys."""


class MerchantSettings(BaseModel):
    """A merchant beside the first."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    merchant_id: MerchantId
    """Named in notifications."""
    keys: Annotated[tuple[KeySettings, ...], Field(min_length=1)]
    """Whose signatures are accepted."""
    receivers: tuple[ReceiverUrl, ...] = ()
    """Addresses that notifications are posted to."""


class Settings(BaseSettings):
    """What the program is told."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        nested_model_default_partial_update=True,
    )

    config: Path | None = None
    """A TOML file with further options."""
    host: str = "127.0.0.1"
    """Where to listen."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8600
    """The port; 0 for any free one."""
    origin: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")] | None = None
    """Where others reach the simulator, such as http://simulator:8600; host and port when not given."""
    tls: bool = False
    """Serve https, as the official SDKs want it, with a certificate made in the folder of keys."""
    keys: Path = Path(".amazon-pay-simulator")
    """Folder of key pairs and certificates; made when new."""
    merchant_id: MerchantId = "A1SIMULATOR"
    """The first merchant, named in notifications."""
    public_key_id: PublicKeyId = "SANDBOX-SIMULATOR"
    """The id that the first merchant's requests are signed under."""
    public_key_path: Path | None = None
    """The first merchant's own public key (PEM); a pair is made when not given."""
    receivers: tuple[ReceiverUrl, ...] = ()
    """Addresses that the first merchant's notifications (IPNs) are posted to."""
    merchants: tuple[MerchantSettings, ...] = ()
    """Merchants beside the first, each with keys, receivers and books of its own."""
    signature_version: Literal["1", "2"] = "2"
    """Of the notifications' signatures, by SNS."""
    database: Path | None = None
    """An SQLite file that keeps everything across restarts; in memory when not given."""
    throttle: Literal["sandbox", "live"] | None = None
    """Answer 429 by Amazon's limits there; throttles nothing when not given."""
    journal_size: Annotated[int, Field(ge=1, le=10_000_000)] = JOURNAL_SIZE
    """How many requests and notifications are kept to be looked at."""
    charge_permissions: tuple[OpenedPermission, ...] = ()
    """Charge permissions that are there from the beginning, each with a currency and a script of answers."""
    assumptions: Assumptions = Assumptions()
    """How the simulator behaves where Amazon's documentation is silent."""
    faults: FaultPlan = FaultPlan()
    """What goes wrong at the wire, all from one seed."""


def read_settings(arguments: Sequence[str]) -> Settings:
    """Reads the options.

    Args:
        arguments: the command line.

    Raises:
        ConfigurationError: one of them cannot be used.
        SystemExit: help or the version was asked for.
    """
    path = _file_of(arguments)
    of_file = _read_file(path) if path is not None else {}

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - nothing is given in code
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no file but the one that is named
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, InitSettingsSource(settings_cls, of_file)

    parser = _Parser(
        prog=PROGRAM, usage="%(prog)s [options]", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version(PROGRAM)}")
    try:
        source = CliSettingsSource[argparse.ArgumentParser](Loaded, root_parser=parser)
        return Loaded(_cli_settings_source=source(args=list(arguments)))
    except ValidationError as error:
        named = partial(_where, arguments=arguments, path=path, of_file=of_file)
        raise ConfigurationError(in_one_line(error.errors(), named=named)) from None
    except SettingsError as error:
        raise ConfigurationError(f"{error}: {error.__cause__ or 'it is not JSON'}") from None


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message}; {self.prog} --help lists what is accepted")


def _file_of(arguments: Sequence[str]) -> Path | None:
    """The configuration file that the command line names, or else the environment."""
    parser = _Parser(prog=PROGRAM, add_help=False, allow_abbrev=False)
    parser.add_argument("--config", default=os.environ.get(f"{ENVIRONMENT_PREFIX}CONFIG") or None)
    named: str | None = parser.parse_known_args(list(arguments))[0].config
    return Path(named) if named else None


def _read_file(path: Path) -> dict[str, Any]:  # Any: TOML
    try:
        return tomllib.loads(read_small_file(path, LARGEST_FILE_BYTES).content.decode())
    except OSError as error:
        raise ConfigurationError(f"--config {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigurationError(f"--config {path}: it is not TOML: {error}") from None


def _where(field: str, *, arguments: Sequence[str], path: Path | None, of_file: Mapping[str, Any]) -> str:  # Any: TOML
    """Where a field was set, so that whoever reads it finds it: command line, environment or file."""
    names = field.split(".")
    option = f"--{field.replace('_', '-')}"
    on_command_line = any(given.partition("=")[0].startswith(f"--{names[0].replace('_', '-')}") for given in arguments)
    if on_command_line:
        return option
    variable = f"{ENVIRONMENT_PREFIX}{'__'.join(names).upper()}"
    if variable in os.environ:
        return variable
    return f"{path}: {field}" if path is not None and names[0] in of_file else option
