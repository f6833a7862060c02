"""From options to a simulator: key pairs and certificates are found or made, and everything is checked by its name."""

import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay_client import Environment
from amazon_pay_client.files import read_small_file
from amazon_pay_simulator.certificates import AMAZONS_HOSTS, tls_files
from amazon_pay_simulator.config import SimulatorConfig
from amazon_pay_simulator.configuration import ConfigurationError, KeySettings, Settings
from amazon_pay_simulator.merchant_key import MERCHANT_KEY_FILE, key_file_of, merchant_key
from amazon_pay_simulator.merchants import Merchant, public_pem, read_public_key
from amazon_pay_simulator.notifications import CERTIFICATE_FILE, NotificationSigner
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.server import Simulator, create_app
from amazon_pay_simulator.serving import TlsFiles, origin_of


@dataclass(frozen=True, slots=True)
class MerchantKey:
    """A key pair that the simulator knows the public half of.

    Attributes:
        merchant_id: whose it is.
        public_key_id: what requests are signed under.
        private_key_path: where the other half is; None where only the merchant has it.
    """

    merchant_id: str
    public_key_id: str
    private_key_path: Path | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A simulator that can be served, and what its clients need to know.

    Attributes:
        app: the simulator.
        origin: where it is reached.
        tls: the files that it is served with; None for http.
        keys: what requests can be signed with.
        notification_certificate_path: what a receiver of notifications is to trust.
        charge_permission_ids: those that are there from the beginning.
    """

    app: Simulator
    origin: str
    tls: TlsFiles | None
    keys: tuple[MerchantKey, ...]
    notification_certificate_path: Path
    charge_permission_ids: tuple[str, ...]

    def lines(self) -> Iterator[tuple[str, str]]:
        """What is printed at the start, each with its name."""
        yield "origin", self.origin
        yield "control API", f"{self.origin}/docs"
        yield "requests, live", f"{self.origin}/simulator"
        for key in self.keys:
            yield "merchant id", key.merchant_id
            yield "public key id", key.public_key_id
            yield "private key", str(key.private_key_path or "your own, whose public half was given")
        yield "notification certificate", str(self.notification_certificate_path)
        if self.tls is not None:
            yield "TLS certificate", str(self.tls.certificate)
            yield "which is also for", f"{', '.join(AMAZONS_HOSTS)}, with the paths /sandbox/v2, /live/v2 and /v2"
        for identifier in self.charge_permission_ids:
            yield "charge permission", identifier


@dataclass(slots=True)
class _Keys:
    """Key pairs in a folder, found or made."""

    folder: Path
    found: list[MerchantKey] = field(default_factory=list)

    def public(self, merchant_id: str, key: KeySettings, option: str, file: str) -> RSAPublicKey:
        """The public half of a merchant's key."""
        if key.public_key_path is None:
            private_key = merchant_key(self.folder, file)
            self.found.append(MerchantKey(merchant_id, key.public_key_id, (self.folder / file).resolve()))
            return private_key.public_key()
        try:
            public_key = read_public_key(read_small_file(key.public_key_path).content.decode(errors="replace"))
        except OSError as error:
            raise ConfigurationError(f"{option} {key.public_key_path}: {error.strerror or error}") from None
        except ValueError as error:
            raise ConfigurationError(f"{option} {key.public_key_path}: {error}") from None
        self.found.append(MerchantKey(merchant_id, key.public_key_id, None))
        return public_key


def prepared(settings: Settings, listener: socket.socket) -> Prepared:
    """Makes a simulator that can be served on a listening socket.

    Raises:
        ConfigurationError: a file cannot be used, or merchants are in each other's way.
    """
    origin = settings.origin or origin_of(listener, secure=settings.tls)
    _check_permissions(settings)
    keys = _Keys(settings.keys)
    try:
        settings.keys.mkdir(parents=True, exist_ok=True)
        own = KeySettings(public_key_id=settings.public_key_id, public_key_path=settings.public_key_path)
        first = keys.public(settings.merchant_id, own, "--public-key-path", MERCHANT_KEY_FILE)
        further = tuple(_further_merchants(settings, keys))
        signer = NotificationSigner.load_or_create(settings.keys)
        tls = TlsFiles(*tls_files(settings.keys, settings.host)) if settings.tls else None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--keys {settings.keys}: {error}") from None
    config = SimulatorConfig(
        public_keys={settings.public_key_id: first},
        merchant_id=settings.merchant_id,
        receivers=settings.receivers,
        further_merchants=further,
        origin=origin,
        signer=signer,
        signature_version=settings.signature_version,
        database=settings.database,
        throttled_as=Environment(settings.throttle) if settings.throttle else None,
        faults=settings.faults,
        assumptions=settings.assumptions,
        charge_permissions=settings.charge_permissions,
        journal_size=settings.journal_size,
    )
    try:
        app = create_app(config)
    except sqlite3.Error as error:
        raise ConfigurationError(f"--database {settings.database}: {error}") from None
    except Refusal as refusal:
        raise ConfigurationError(f"--merchants: {refusal.message}") from None
    opened = app.simulation.charge_permission_ids if settings.charge_permissions else ()
    certificate = (settings.keys / CERTIFICATE_FILE).resolve()
    return Prepared(app, origin, tls, tuple(keys.found), certificate, opened)


def _check_permissions(settings: Settings) -> None:
    """Each charge permission is a known merchant's."""
    known = [settings.merchant_id, *(merchant.merchant_id for merchant in settings.merchants)]
    for number, wanted in enumerate(settings.charge_permissions):
        if wanted.merchant_id is not None and wanted.merchant_id not in known:
            raise ConfigurationError(
                f"--charge-permissions.{number}.merchant_id: {wanted.merchant_id!r} is not accepted; there are "
                f"{', '.join(known)}"
            )


def _further_merchants(settings: Settings, keys: _Keys) -> Iterator[Merchant]:
    for merchant in settings.merchants:
        public_keys = {
            key.public_key_id: public_pem(
                keys.public(merchant.merchant_id, key, "--merchants", key_file_of(key.public_key_id))
            )
            for key in merchant.keys
        }
        yield Merchant(merchant_id=merchant.merchant_id, public_keys=public_keys, receivers=merchant.receivers)
