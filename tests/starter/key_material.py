"""Secrets as a merchant might set them, rightly and wrongly, and looking for them in what a program printed."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

PASSPHRASE: Final = "correct-horse-battery-staple"
SHORTEST_LEAK: Final = 12
"""Characters of a secret in a row that count as printed."""


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


RSA_PEM: Final = _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048), NoEncryption())
ENCRYPTED_PEM: Final = _pem(
    rsa.generate_private_key(public_exponent=65537, key_size=2048), BestAvailableEncryption(PASSPHRASE.encode())
)
NOT_RSA_PEM: Final = _pem(ec.generate_private_key(ec.SECP256R1()), NoEncryption())
DAMAGED_PEM: Final = RSA_PEM.replace("A", "B")
WITHOUT_ITS_FIRST_LINE: Final = NOT_RSA_PEM.split("\n", 1)[1]


def leaked(secret: str, *printed: str) -> set[str]:
    """Pieces of a secret that stand in a text."""
    lines = [line for line in secret.splitlines() if "-----" not in line]
    pieces = {line[at : at + SHORTEST_LEAK] for line in lines for at in range(max(1, len(line) - SHORTEST_LEAK + 1))}
    return {piece for piece in pieces if any(piece in text for text in printed)}
