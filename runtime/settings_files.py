"""Settings that stand in files: one file for each secret, and one for all settings; environment variables win.

A secret `PERENNIAL_X` may be given as `PERENNIAL_X_FILE`, the path of a file that holds nothing else, as container
engines mount them. `PERENNIAL_SETTINGS_FILE` names a TOML file of settings, by their names in small letters.
"""

import difflib
import errno
import os
import stat
import tomllib
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import SecretStr
from pydantic_settings import BaseSettings, EnvSettingsSource, InitSettingsSource

from perennial_billing.runtime.errors import StartupError, shown

FILE_SUFFIX: Final = "_file"
"""Behind a secret's name: the path of the file that holds it."""

SETTINGS_FILE: Final = "SETTINGS_FILE"
"""Behind the prefix: the variable that names the file of settings."""

LARGEST_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file holds, and whether it is this user's own and lets others read or write it."""

    content: str
    is_for_others: bool


class EnvironmentAndSecretFiles(EnvSettingsSource):
    """Environment variables; those of secrets also by the path of a file.

    Raises:
        StartupError: a file cannot be used, or a secret is given in both ways.
    """

    def __call__(self) -> dict[str, Any]:  # Any: as in the base
        """What is set."""
        found = super().__call__()
        prefix = str(self.config["env_prefix"])
        for name in secrets_of(self.settings_cls):
            path = self.env_vars.get(f"{prefix}{name}{FILE_SUFFIX}".lower())
            variable = f"{prefix}{name.upper()}"
            if path is None:
                continue
            if name in found:
                raise StartupError(f"{variable} and {variable}_FILE: one of them is accepted; both are set")
            secret = _secret_in(path, f"{variable}_FILE")
            if secret:
                found[name] = secret
        return found


class SettingsInFile(InitSettingsSource):
    """The settings of the TOML file that a variable names; none where it is not set.

    Raises:
        StartupError: it cannot be used, or has what is no setting.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, settings_in_file(settings_cls))


def settings_in_file(settings_cls: type[BaseSettings]) -> dict[str, Any]:  # Any: whatever TOML has
    """What the file of settings says, by the settings' names.

    Raises:
        StartupError: as of `SettingsInFile`.
    """
    named = _settings_file(settings_cls)
    if named is None:
        return {}
    variable, path = named
    try:
        given = tomllib.loads(_read(path, variable).content)
    except tomllib.TOMLDecodeError as error:
        raise StartupError(f"{variable}: {shown(path)} is not TOML: {_where(error)}") from None
    secrets = secrets_of(settings_cls)
    files = {f"{name}{FILE_SUFFIX}": name for name in secrets}
    known = {*settings_cls.model_fields, *files}
    found = {}
    for name, value in given.items():
        if name not in known:
            raise StartupError(
                f"{variable}: {shown(path)} has {shown(name)}, which is no setting{_nearest(name, known)}"
            )
        if value == "":
            continue  # as an environment variable that is empty
        if name not in files:
            found[name] = value
            continue
        if given.get(files[name]):
            raise StartupError(f"{variable}: {shown(path)} has {files[name]} and {name}; one of them is accepted")
        secret = _secret_in(str(value), f"{name} in {shown(path)}")
        if secret:
            found[files[name]] = secret
    return found


def shared_files(settings_cls: type[BaseSettings]) -> list[str]:
    """Files with secrets that are this user's own and that others may read or write, as whoever is to mend it knows
    them.

    A file of another user's is theirs to guard: what is mounted into a container is root's, and readable by all.
    """
    prefix, secrets, named = settings_cls.model_config.get("env_prefix", ""), secrets_of(settings_cls), []
    for name in secrets:
        variable = f"{prefix}{name.upper()}_FILE"
        if (path := os.environ.get(variable)) and _read(path, variable).is_for_others:
            named.append(f"{variable}: {shown(path)}")
    file = _settings_file(settings_cls)
    if file is not None and set(settings_in_file(settings_cls)) & set(secrets):
        variable, path = file
        if _read(path, variable).is_for_others:
            named.append(f"{variable}: {shown(path)}")
    return named


def secrets_of(settings_cls: type[BaseSettings]) -> list[str]:
    """The names of settings that are secrets."""
    return [name for name, field in settings_cls.model_fields.items() if _is_secret(field.annotation)]


def _is_secret(annotation: object) -> bool:
    """Whether it is of secrets, bounded or optional ones included."""
    return annotation is SecretStr or any(_is_secret(each) for each in get_args(annotation))


def _settings_file(settings_cls: type[BaseSettings]) -> tuple[str, str] | None:
    variable = f"{settings_cls.model_config.get('env_prefix', '')}{SETTINGS_FILE}"
    path = os.environ.get(variable)
    return (variable, path) if path else None


def _nearest(name: str, known: set[str]) -> str:
    """What was probably meant, as the end of a sentence."""
    alike = difflib.get_close_matches(name.lower().removeprefix("perennial_"), sorted(known), n=1)
    return f"; {alike[0]} is, and may be meant" if alike else ": docs/reference/settings.md lists them"


def _where(error: tomllib.TOMLDecodeError) -> str:
    """Where it is none: what stands there may be a secret, and is not shown."""
    text = str(error)
    _, bracket, place = text.rpartition("(at ")
    return f"look {place.removesuffix(')')}" if bracket else "it cannot be read"


def _secret_in(path: str, variable: str) -> str:
    """What a file holds, without the line's end behind it."""
    return _read(path, variable).content.rstrip("\r\n")


def _read(path: str, variable: str) -> _Read:
    """Reads a small file that a variable names.

    Raises:
        StartupError: naming the variable.
    """
    try:
        content, is_for_others = _content(path)
        return _Read(content.decode(), is_for_others)
    except OSError as error:
        raise StartupError(f"{variable}: {shown(path)} cannot be read: {error.strerror or error}") from None
    except ValueError:  # not UTF-8; or a path that can be none
        raise StartupError(f"{variable}: {shown(path)} cannot be read: text in UTF-8 is accepted") from None


def _content(path: str) -> tuple[bytes, bool]:
    """What an ordinary file of bounded size holds, and whether others may use it: no device, and no pipe that nobody
    writes to.

    Raises:
        OSError: it is none, or cannot be read.
    """
    # Not blocking, as opening a pipe would wait for its writer.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - a descriptor
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not an ordinary file")
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST_BYTES} bytes")
    is_own = found.st_uid == os.geteuid()
    return content, is_own and bool(found.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
