"""The simulator's key files: kept across restarts, readable by their owner only."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client import PrivateKeyError, load_private_key
from amazon_pay_simulator.certificates import write_private_key
from amazon_pay_simulator.merchant_key import MERCHANT_KEY_FILE, merchant_key
from amazon_pay_simulator.notifications import CERTIFICATE_FILE, KEY_FILE, NotificationSigner


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_certificate_stays_the_same_across_restarts(tmp_path: Path) -> None:
    first = NotificationSigner.load_or_create(tmp_path)

    second = NotificationSigner.load_or_create(tmp_path)

    assert second.certificate_pem == first.certificate_pem == (tmp_path / CERTIFICATE_FILE).read_bytes()
    assert second.private_key.private_numbers() == first.private_key.private_numbers()
    certified = x509.load_pem_x509_certificate(first.certificate_pem).public_key()
    assert certified == first.private_key.public_key()


def test_a_certificate_without_its_key_is_replaced_together_with_it(tmp_path: Path) -> None:
    first = NotificationSigner.load_or_create(tmp_path)
    (tmp_path / KEY_FILE).unlink()

    second = NotificationSigner.load_or_create(tmp_path)

    assert second.certificate_pem != first.certificate_pem
    assert NotificationSigner.load_or_create(tmp_path).certificate_pem == second.certificate_pem


def test_the_merchants_key_stays_the_same_and_is_one_that_the_client_takes(tmp_path: Path) -> None:
    first = merchant_key(tmp_path)

    assert merchant_key(tmp_path).private_numbers() == first.private_numbers()
    assert load_private_key(tmp_path / MERCHANT_KEY_FILE).key_size == 2048


def test_a_merchants_key_file_that_is_none_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / MERCHANT_KEY_FILE
    path.touch(mode=0o600)
    path.write_text("not a key")

    with pytest.raises(PrivateKeyError, match="not a PEM file"):
        merchant_key(tmp_path)

    assert path.read_text() == "not a key"


def test_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    NotificationSigner.load_or_create(tmp_path)
    merchant_key(tmp_path)

    assert [mode_of(tmp_path / name) for name in (KEY_FILE, MERCHANT_KEY_FILE)] == [0o600, 0o600]


def test_a_private_key_written_over_a_file_that_others_may_read_is_readable_by_its_owner_only(
    tmp_path: Path, private_key: RSAPrivateKey
) -> None:
    path = tmp_path / KEY_FILE
    path.touch(mode=0o644)

    write_private_key(path, private_key)

    assert mode_of(path) == 0o600
