"""A key that cannot be used must say why to the person who configured it, and must not show itself in a log."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from amazon_pay_client import PrivateKeyError, load_private_key

PLAIN: Final = NoEncryption()
SECRET: Final = "correct horse"
LOCKED: Final = BestAvailableEncryption(SECRET.encode())
PKCS1: Final = PrivateFormat.TraditionalOpenSSL
PKCS8: Final = PrivateFormat.PKCS8


def pem_of(
    key: RSAPrivateKey | ec.EllipticCurvePrivateKey,
    form: PrivateFormat = PKCS8,
    encryption: KeySerializationEncryption = PLAIN,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption)


def in_file(pem: bytes, folder: Path) -> Path:
    path = folder / "private_key.pem"
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return path


def shows_key_material(error: PrivateKeyError, pem: bytes) -> bool:
    told = f"{error!r} {error} {error.__cause__!r}"
    return any(line in told for line in pem.decode().splitlines() if len(line) > 10 and "-----" not in line)


@pytest.mark.parametrize("form", [PKCS1, PKCS8], ids=["PKCS#1", "PKCS#8"])
@pytest.mark.parametrize("encryption", [PLAIN, LOCKED], ids=["plain", "encrypted"])
@pytest.mark.parametrize(
    "source_of",
    [
        lambda pem, folder: pem,
        lambda pem, folder: pem.decode(),
        in_file,
        lambda pem, folder: str(in_file(pem, folder)),
    ],
    ids=["bytes", "text", "path", "path as text"],
)
def test_every_form_of_a_key_from_every_source_gives_the_same_key(
    form: PrivateFormat,
    encryption: KeySerializationEncryption,
    source_of: Callable[[bytes, Path], str | bytes | Path],
    private_key: RSAPrivateKey,
    tmp_path: Path,
) -> None:
    source = source_of(pem_of(private_key, form, encryption), tmp_path)

    loaded = load_private_key(source, SECRET if encryption is LOCKED else None)

    assert loaded.private_numbers() == private_key.private_numbers()


def test_a_passphrase_may_be_given_in_bytes(private_key: RSAPrivateKey) -> None:
    loaded = load_private_key(pem_of(private_key, PKCS8, LOCKED), SECRET.encode())

    assert loaded.private_numbers() == private_key.private_numbers()


def test_a_missing_file_is_named_with_the_reason(tmp_path: Path) -> None:
    for source in (tmp_path / "absent.pem", str(tmp_path / "absent.pem")):
        with pytest.raises(PrivateKeyError, match=r"private key file .*absent\.pem: No such file"):
            load_private_key(source)


def test_a_folder_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PrivateKeyError, match="Is a directory"):
        load_private_key(tmp_path)


def test_a_public_key_is_refused_as_one(private_key: RSAPrivateKey, tmp_path: Path) -> None:
    public = private_key.public_key()
    for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
        pem = public.public_bytes(Encoding.PEM, form)
        with pytest.raises(PrivateKeyError, match=r"private_key\.pem: this is a public key; the private key"):
            load_private_key(in_file(pem, tmp_path))


@pytest.mark.parametrize("form", [PKCS1, PKCS8], ids=["PKCS#1", "PKCS#8"])
def test_a_key_of_another_kind_is_refused_with_its_kind(form: PrivateFormat) -> None:
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()), form)

    with pytest.raises(PrivateKeyError, match="the key is EC, not RSA") as caught:
        load_private_key(pem)
    assert not shows_key_material(caught.value, pem)


def test_a_short_key_is_refused_with_its_length_and_the_least_length() -> None:
    pem = pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024))

    with pytest.raises(PrivateKeyError, match="has 1024 bits; at least 2048 are needed") as caught:
        load_private_key(pem)
    assert not shows_key_material(caught.value, pem)


@pytest.mark.parametrize("form", [PKCS1, PKCS8], ids=["PKCS#1", "PKCS#8"])
@pytest.mark.parametrize(
    ("passphrase", "reason"),
    [
        (None, "it is encrypted and needs a passphrase"),
        ("", "it is encrypted and needs a passphrase"),
        ("battery staple", "the passphrase is wrong"),
    ],
    ids=["none", "empty", "wrong"],
)
def test_an_encrypted_key_says_what_is_wrong_with_the_passphrase_and_not_the_passphrase(
    form: PrivateFormat, passphrase: str | None, reason: str, private_key: RSAPrivateKey
) -> None:
    pem = pem_of(private_key, form, LOCKED)

    with pytest.raises(PrivateKeyError, match=reason) as caught:
        load_private_key(pem, passphrase)
    assert not shows_key_material(caught.value, pem)
    assert not passphrase or passphrase not in str(caught.value)


def test_a_passphrase_for_a_plain_key_is_refused(private_key: RSAPrivateKey) -> None:
    pem = pem_of(private_key)

    with pytest.raises(PrivateKeyError, match="it is not encrypted") as caught:
        load_private_key(pem, SECRET)
    assert not shows_key_material(caught.value, pem)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"", "not a PEM file; a line '-----BEGIN PRIVATE KEY-----' was expected"),
        (b"\x30\x82\x04\xbd\xff\x00", "not a PEM file"),
        (b"-----BEGIN", "the PEM content is damaged"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "the PEM content is damaged"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "an RSA private key in PKCS#1 or PKCS#8"),
    ],
    ids=["empty", "binary", "first line", "no key", "certificate"],
)
def test_garbage_is_refused_with_what_was_expected(garbage: bytes, reason: str, tmp_path: Path) -> None:
    for source in (garbage, in_file(garbage, tmp_path)):
        with pytest.raises(PrivateKeyError, match=reason):
            load_private_key(source)


def test_a_damaged_key_is_refused_without_being_shown(private_key: RSAPrivateKey) -> None:
    lines = pem_of(private_key).decode().splitlines()
    pem = "\n".join([lines[0], *lines[3:]])

    with pytest.raises(PrivateKeyError, match="the PEM content is damaged") as caught:
        load_private_key(pem)
    assert not shows_key_material(caught.value, pem.encode())


def test_a_key_that_lost_its_first_line_is_not_shown_as_the_name_of_a_file(private_key: RSAPrivateKey) -> None:
    pem = pem_of(private_key)
    bare = "".join(line for line in pem.decode().splitlines() if "-----" not in line)

    with pytest.raises(PrivateKeyError) as caught:
        load_private_key(bare)
    assert not shows_key_material(caught.value, pem)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o606, 0o610])
def test_a_key_file_of_ones_own_that_others_may_use_is_refused_with_what_to_do(
    mode: int, private_key: RSAPrivateKey, tmp_path: Path
) -> None:
    path = in_file(pem_of(private_key), tmp_path)
    path.chmod(mode)

    with pytest.raises(PrivateKeyError, match=r"others than its owner may use it; `chmod 600`"):
        load_private_key(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_that_is_its_owners_alone_is_taken(mode: int, private_key: RSAPrivateKey, tmp_path: Path) -> None:
    path = in_file(pem_of(private_key), tmp_path)
    path.chmod(mode)

    assert load_private_key(path).key_size == 2048


def test_a_key_file_of_another_user_is_theirs_to_guard(
    private_key: RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a secret is mounted into a container, root's and readable by all."""
    path = in_file(pem_of(private_key), tmp_path)
    path.chmod(0o444)
    monkeypatch.setattr("os.geteuid", lambda: path.stat().st_uid + 1)

    assert load_private_key(path).key_size == 2048


def test_pem_text_as_a_path_is_not_shown(private_key: RSAPrivateKey) -> None:
    pem = pem_of(private_key)
    bare = "".join(line for line in pem.decode().splitlines() if "-----" not in line)

    cut = "/".join([bare[:30].replace("/", "0")] * 6)  # its slashes as close together as chance may put them
    for text in (pem.decode(), pem.decode().replace("\n", "\\n"), bare, bare[:200], bare[300:500], cut, "a\0b"):
        with pytest.raises(PrivateKeyError) as caught:
            load_private_key(Path(text))
        assert not shows_key_material(caught.value, pem)
        assert bare[:20] not in str(caught.value)
        assert len(str(caught.value)) < 200
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/null", "/dev/tty"])
def test_a_device_is_no_key_file(device: str) -> None:
    with pytest.raises(PrivateKeyError, match=f"^private key file {device}: "):
        load_private_key(Path(device))


def test_a_pipe_that_nobody_writes_to_is_no_key_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)

    with pytest.raises(PrivateKeyError, match="not an ordinary file"):
        load_private_key(tmp_path / "pipe")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = in_file(b"", tmp_path)
    os.truncate(path, 1 << 40)

    with pytest.raises(PrivateKeyError, match="it has more than 65536 bytes"):
        load_private_key(path)
