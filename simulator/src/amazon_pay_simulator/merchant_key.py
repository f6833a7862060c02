"""The merchant's key pair for a local simulator. A real one is made in Seller Central."""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client.keys import load_private_key
from amazon_pay_simulator.certificates import new_key, write_private_key

MERCHANT_KEY_FILE: Final = "merchant-private-key.pem"


def key_file_of(public_key_id: str) -> str:
    """The name of the file of another key pair, beside the first merchant's."""
    return f"{public_key_id}-private-key.pem"


def merchant_key(folder: Path, name: str = MERCHANT_KEY_FILE) -> RSAPrivateKey:
    """The key of an earlier run in this folder, or a new one written there.

    Raises:
        PrivateKeyError: the file that is there cannot be used.
    """
    path = folder / name
    if path.exists():
        return load_private_key(path)
    key = new_key()
    write_private_key(path, key)
    return key
