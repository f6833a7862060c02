"""What Amazon's button needs from the server: a payload, and the signature over exactly these bytes.

The most frequent fault of integrations is a payload that is written twice, once for the signature and once for the
page, with different spaces or escapes. So the payload is written once, here, and handed on with its signature.
Source: Amazon Pay, "render the button"; the official SDKs' button signature.
"""

import json
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client.models.wire import RequestModel
from amazon_pay_client.signing import Algorithm, sign

_ESCAPED_IN_PAGES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Inside a JSON string these may be written as escapes, so nothing in it can end a script element."""


@dataclass(frozen=True, slots=True)
class SignedPayload:
    """A button's payload with its signature. Neither holds a secret; both go into the page.

    Attributes:
        payload_json: the exact text that is signed.
        signature: base64. It is randomised and has no date: it may be kept as long as the payload stays the same.
        algorithm: Amazon's name of the signature algorithm.
        public_key_id: the key that the signature can be checked with.
    """

    payload_json: str
    signature: str
    algorithm: str
    public_key_id: str

    def to_javascript(self) -> str:
        """The value of `createCheckoutSessionConfig` (or of `signInConfig`) for a script element of a page.

        The browser reads from it byte for byte what was signed, and nothing in it can end the script element.
        """
        config = {
            "payloadJSON": self.payload_json,
            "signature": self.signature,
            "algorithm": self.algorithm,
            "publicKeyId": self.public_key_id,
        }
        return json.dumps(config, ensure_ascii=False).translate(_ESCAPED_IN_PAGES)


def sign_payload(
    payload: RequestModel | str, *, public_key_id: str, private_key: RSAPrivateKey, algorithm: Algorithm
) -> SignedPayload:
    """Signs a button's payload.

    Args:
        payload: a `CreateCheckoutSessionRequest`, a `SignInRequest`, or the exact JSON text.
        public_key_id: the id of the key pair.
        private_key: the private key of that pair.
        algorithm: must be given to the button too, which `SignedPayload` does.

    Raises:
        ValueError: the text is not a JSON object.
    """
    text = payload if isinstance(payload, str) else payload.to_json().decode()
    try:
        is_object = isinstance(json.loads(text), dict)
        text.encode()
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise ValueError("payload: it is not a JSON object; the settings of a checkout session or a sign-in are")
    return SignedPayload(text, sign(private_key, algorithm, text), algorithm.wire_name, public_key_id)
