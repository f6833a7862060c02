"""Reading RSA private keys, and saying exactly why one cannot be used."""

from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from amazon_pay_client.files import read_small_file, shown

MINIMUM_KEY_BITS: Final = 2048
"""Amazon Pay issues 2048-bit keys."""


_LONGEST_PATH: Final = 1024
"""Characters; the shortest usable key is longer."""


class PrivateKeyError(ValueError):
    """A private key that cannot sign for Amazon Pay. The message never holds key material."""


def load_private_key(source: str | bytes | Path, passphrase: str | bytes | None = None) -> RSAPrivateKey:
    """Loads an RSA private key in PEM form, PKCS#1 or PKCS#8, encrypted or not.

    A file of this user's own that others may use is refused, as `ssh` does; that of another user is theirs to guard,
    as where a secret is mounted into a container.

    Args:
        source: a path, PEM text, or PEM bytes. A `str` is PEM text when it holds `-----BEGIN`, else a path. Line breaks
            may be written out as `\\n`, as settings of one line have them.
        passphrase: for an encrypted key.

    Raises:
        PrivateKeyError: with the reason: no such file, not PEM, not RSA, too short, passphrase missing or wrong,
            a file for others too.
    """
    pem, name = _read(source)
    pem = _with_line_breaks(pem)
    if b"-----BEGIN" not in pem:
        raise PrivateKeyError(f"{name}: not a PEM file; a line '-----BEGIN PRIVATE KEY-----' was expected")
    if b"PUBLIC KEY-----" in pem:
        raise PrivateKeyError(f"{name}: this is a public key; the private key of the pair is needed")
    secret = (passphrase.encode() if isinstance(passphrase, str) else passphrase) or None
    if b"OPENSSH PRIVATE KEY-----" in pem:
        raise PrivateKeyError(f"{name}: the key is in OpenSSH's own form; PKCS#1 or PKCS#8 is needed")
    try:
        key = load_pem_private_key(pem, password=secret)
    except TypeError:
        hint = "it is encrypted and needs a passphrase" if secret is None else "it is not encrypted"
        raise PrivateKeyError(f"{name}: passphrase: {hint}") from None
    except (ValueError, UnsupportedAlgorithm):
        hint = "the passphrase is wrong or the file is damaged" if secret else "the PEM content is damaged"
        raise PrivateKeyError(f"{name}: {hint}; an RSA private key in PKCS#1 or PKCS#8 form is needed") from None
    if not isinstance(key, RSAPrivateKey):
        kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
        raise PrivateKeyError(f"{name}: the key is {kind}, not RSA; Amazon Pay signs with RSA only")
    if key.key_size < MINIMUM_KEY_BITS:
        raise PrivateKeyError(f"{name}: the key has {key.key_size} bits; at least {MINIMUM_KEY_BITS} are needed")
    return key


def _with_line_breaks(pem: bytes) -> bytes:
    """The same, with line breaks where a setting of one line has a backslash and an n; no PEM holds a backslash."""
    return pem.replace(b"\\r", b"").replace(b"\\n", b"\n")


def _read(source: str | bytes | Path) -> tuple[bytes, str]:
    if not isinstance(source, (str, bytes, Path)):
        raise PrivateKeyError(
            f"private key: a {type(source).__name__} was given; PEM text, PEM bytes or the path of a PEM file is needed"
        )
    if isinstance(source, bytes):
        return source, "private key"
    if isinstance(source, str) and "-----BEGIN" in source:
        return source.encode(), "private key"
    if isinstance(source, str) and (len(source) > _LONGEST_PATH or "\0" in source):
        # A key without its BEGIN line, not a path: never echo it.
        raise PrivateKeyError("private key: neither PEM text nor the path of a file")
    path = Path(source)
    name = f"private key file {shown(path)}"
    try:
        file = read_small_file(path)
    except OSError as error:
        raise PrivateKeyError(f"{name}: {error.strerror or type(error).__name__}") from None
    except ValueError:
        raise PrivateKeyError(f"{name}: it can be no path") from None
    if file.is_for_others:
        raise PrivateKeyError(f"{name}: others than its owner may use it; `chmod 600` makes it yours alone")
    return file.content, name
