"""Makes the page of all settings of the model that reads them: `python -m tests.runtime.settings_page`."""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from perennial_billing.runtime.settings import PREFIX, Settings
from perennial_billing.runtime.settings_files import secrets_of

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"

_HEAD: Final = """# Settings

Made from the code by `python -m tests.runtime.settings_page`; a test says when that is due.

Settings are environment variables; an empty one counts as not set. A **secret** may also stand in a file of its own,
and all of them in one: [files](#files). What is wrong is said in one line when a process starts, with the variable's
name and what is accepted, and never with what is set. A **secret** is in no log, error or list; [keys and
secrets](#keys-and-secrets) says how its file is guarded. *Read by* names the processes that take a variable into
account: `worker`, `ipn` (the receiver), `api`, `console` and `portal` (the buyer's page) for the commands of these
names; *commands* for those that ask Amazon or the ledger by themselves; *dev* for `perennial dev` and `demo`, which set
all else for themselves.
"""

_TAIL: Final = """## Files

Each variable of a **secret** has another with `_FILE` behind its name: the path of a file that holds the secret and
nothing else, as container engines mount it (`PERENNIAL_WEBHOOK_SECRET_FILE=/run/secrets/webhook`). One of the two is
accepted. An empty file counts as not set.

`PERENNIAL_SETTINGS_FILE` names a TOML file of settings, by their names in small letters and without `PERENNIAL_`:

    environment = "live"
    webhook_url = "https://shop.example/notices"
    webhook_secret_file = "/run/secrets/webhook"
    ipn_topic_arns = ["arn:aws:sns:eu-west-1:1234:notices"]
    calls_per_second = { CreateCharge = 8, GetCharge = 20 }

An environment variable wins over it. A name that is no setting is refused, with the nearest one that is. A process
warns in its log of such files with secrets in them that are its own user's and that others may read: `chmod 600` them.
Temporal's own variables stand in no such file; its profile (`TEMPORAL_CONFIG_FILE`) is one.

## Temporal

The connection is set as for every Temporal tool, and read by whatever connects: `TEMPORAL_ADDRESS`,
`TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY` (a **secret**), `TEMPORAL_TLS_...`, or a profile (`TEMPORAL_PROFILE`) in
`TEMPORAL_CONFIG_FILE`.

## The network

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and `SSL_CERT_DIR` count for every request that
goes out.

## Traces

Traces are made where `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) is set, and the packages
of `perennial-billing[otel]` are installed; `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS` and
the other standard variables count: [monitoring](../operations/monitoring.md#traces).

## Keys and secrets

The private key's file is read as `ssh` reads one: where it is the user's own as whom the process runs, nobody else may
have any right to it (`chmod 600`), or the command ends with a line that says so. A file of another user's is theirs to
guard, so what is mounted into a container as root's and readable by all (`0444`, as Docker and Kubernetes do it) is
taken by a process that is not root, as in our image. Refusing that too would refuse how secrets are mounted; only
warning would be a line that nobody reads. A container that runs as root wants the mount's mode as `0400`. Files that
settings and options name are ordinary ones of bounded size: no device, no pipe. What stands in a setting where a path
was expected, and looks like a key, is not shown.
"""

_WORKER, _IPN, _API, _CONSOLE, _PORTAL = "worker", "ipn", "api", "console", "portal"
_COMMANDS, _DEV = "commands", "dev"
_ALL: Final = (_WORKER, _IPN, _API, _CONSOLE, _PORTAL, _COMMANDS)
_AMAZON: Final = (_WORKER, _API, _CONSOLE, _COMMANDS)

SECTIONS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "Amazon Pay": {
        "environment": _ALL,
        "region": (_WORKER, _API, _CONSOLE, _PORTAL, _COMMANDS),
        "merchant_id": _ALL,
        "public_key_id": _AMAZON,
        "private_key_path": _AMAZON,
        "private_key": _AMAZON,
        "private_key_passphrase": _AMAZON,
        "accounts_path": _ALL,
        "accounts_secret": _AMAZON,
        "calls_per_second": _AMAZON,
    },
    "Temporal's histories": {
        "codec_keys": _ALL,
        "plain_histories": _ALL,
        "codec_origins": (_API,),
    },
    "Subscriptions": {
        "task_queue": _ALL,
        "worker_versioning": (_WORKER, _COMMANDS),
        "deployment_name": (_WORKER, _COMMANDS),
        "build_id": (_WORKER, _COMMANDS),
        "cached_subscriptions": (_WORKER,),
        "graceful_shutdown_seconds": (_WORKER,),
    },
    "The ledger": {
        "ledger_url": _ALL,
        "data_folder": (*_ALL, _DEV),
    },
    "Whom is told, and asked": {
        "webhook_url": (_WORKER, _COMMANDS),
        "webhook_secret": (_WORKER, _COMMANDS),
        "webhook_private_addresses": (_WORKER, _COMMANDS),
        "amount_hook_url": (_WORKER,),
        "amount_hook_secret": (_WORKER,),
    },
    "The receiver of Amazon's notifications": {
        "ipn_host": (_IPN,),
        "ipn_port": (_IPN,),
        "ipn_topic_arns": (_IPN,),
        "ipn_longest_age": (_IPN,),
    },
    "The HTTP API": {
        "api_host": (_API,),
        "api_port": (_API,),
        "api_requests_per_minute": (_API,),
    },
    "The console": {
        "console_host": (_CONSOLE,),
        "console_port": (_CONSOLE,),
        "console_url": (_CONSOLE,),
        "console_secret": (_CONSOLE,),
        "console_session_hours": (_CONSOLE,),
        "console_user_header": (_CONSOLE,),
        "console_roles_header": (_CONSOLE,),
        "console_proxy_secret": (_CONSOLE,),
        "console_trusted_peers": (_CONSOLE,),
        "temporal_ui_url": (_CONSOLE,),
    },
    "The buyer's page": {
        "portal_host": (_PORTAL,),
        "portal_port": (_PORTAL, _API, _COMMANDS),
        "portal_url": (_PORTAL, _API, _COMMANDS),
        "portal_secrets": (_PORTAL, _API, _COMMANDS),
        "portal_path": (_PORTAL, _DEV),
        "portal_requests_per_minute": (_PORTAL,),
    },
    "Logs, metrics and health": {
        "log_level": (_WORKER, _IPN, _API, _CONSOLE, _PORTAL),
        "log_format": (_WORKER, _IPN, _API, _CONSOLE, _PORTAL, _DEV),
        "metrics_address": (_WORKER, _IPN, _API, _CONSOLE, _PORTAL),
        "health_host": (_WORKER, _IPN, _API, _CONSOLE, _PORTAL),
        "health_port": (_WORKER, _IPN, _API, _CONSOLE, _PORTAL),
    },
    "A simulator in place of Amazon": {
        "amazon_pay_origin": (_WORKER, _API, _CONSOLE, _PORTAL, _COMMANDS),
        "send_virtual_time": (_WORKER,),
        "ipn_trusted_certificate_path": (_IPN,),
        "temporal_binary": (_DEV,),
    },
}
"""Each setting once, and who takes it into account."""

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def page() -> str:
    """The page, from the model and its docstring."""
    meanings = said()
    lines = [_HEAD]
    for title, settings in SECTIONS.items():
        lines += [f"## {title}\n", "| variable | meaning | default | read by |", "| --- | --- | --- | --- |"]
        lines += [_row(name, meanings[name], readers) for name, readers in settings.items()]
        lines.append("")
    return "\n".join([*lines, _TAIL])


def said() -> dict[str, str]:
    """What the model's docstring says of each setting."""
    _, _, attributes = inspect.getdoc(Settings).partition("Attributes:\n")  # type: ignore[union-attr]
    return {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(attributes)}


def _row(name: str, meaning: str, readers: tuple[str, ...]) -> str:
    field = Settings.model_fields[name]
    secret = " **Secret.**" if name in secrets_of(Settings) else ""
    default = "; ".join(_default(field))
    return (
        f"| `{PREFIX}{name.upper()}` | {meaning[0].upper()}{meaning[1:]}{secret} | {default} | {', '.join(readers)} |"
    )


def _default(field: FieldInfo) -> Iterator[str]:
    value: Any = field.default
    if isinstance(value, bool):
        yield f"`{str(value).lower()}`"
    elif isinstance(value, timedelta):
        yield f"`P{value.days}DT{value.seconds // 3600}H`"
    elif value not in (None, ()):
        yield f"`{value.value if isinstance(value, Enum) else value}`"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
