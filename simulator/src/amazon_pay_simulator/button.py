"""The button of a merchant's page: its signed payload, of which Amazon makes a checkout session or a sign-in.

Source: Amazon Pay, "add the Amazon Pay button" and "render the button". Amazon's own script hands the payload on by a
way of its own, which is not documented; here a form posts what `amazon.Pay.renderButton` is given, by the same names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from amazon_pay_client.models.checkout_sessions import CreateCheckoutSessionRequest, ProductType
from amazon_pay_client.models.sign_in import SignInRequest
from amazon_pay_client.signing import Algorithm, verify
from amazon_pay_simulator.environments import ReleaseEnvironment, environment_of
from amazon_pay_simulator.operations.session_rules import check_address
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.requests import read_request


@dataclass(frozen=True, slots=True)
class PressedButton:
    """What the page of the merchant gave to `amazon.Pay.renderButton`.

    Attributes:
        payload_json: the exact text that was signed.
        signature: base64.
        algorithm: Amazon's name of it; the first one where none is given, as the button has it.
        public_key_id: the key that signed; any key of the merchant's where it is not given.
        product_type: whether something is shipped; no part of what is signed.
        checkout_session_id: a session that was created by the API, instead of a payload.
    """

    payload_json: str
    signature: str
    algorithm: str
    public_key_id: str | None
    product_type: ProductType | None
    checkout_session_id: str | None

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Reads the fields of a form.

        Raises:
            Refusal: MissingParameterValue or InvalidParameterValue.
        """
        session_id = form.get("checkoutSessionId")
        missing = [] if session_id else [name for name in ("payloadJSON", "signature") if not form.get(name)]
        if missing:
            raise Refusal(
                "MissingParameterValue", f"{' and '.join(missing)}: missing; or give a session's checkoutSessionId"
            )
        product_type = form.get("productType")
        if product_type and product_type not in set(ProductType):
            raise Refusal(
                "InvalidParameterValue",
                f"productType: {product_type[:50]!r} is not accepted; accepted are {', '.join(ProductType)}",
            )
        return cls(
            payload_json=form.get("payloadJSON", ""),
            signature=form.get("signature", ""),
            algorithm=form.get("algorithm") or Algorithm.V1.wire_name,
            public_key_id=form.get("publicKeyId"),
            product_type=ProductType(product_type) if product_type else None,
            checkout_session_id=session_id,
        )


def payload_of(
    button: PressedButton, public_keys: Mapping[str, RSAPublicKey], path: str
) -> tuple[CreateCheckoutSessionRequest | SignInRequest, ReleaseEnvironment]:
    """The payload, once its signature holds, and the world of the key that signed it.

    Args:
        button: has a payload.
        public_keys: of the merchant, by public key id.
        path: of the request; names the world where the key does not.

    Raises:
        Refusal: InvalidAuthentication, InvalidRequestSignature, or what is wrong with the payload.
    """
    key_id, text = _signed_by(button, public_keys)
    environment, body = environment_of(key_id, path), text.encode()
    if not _is_sign_in(body):
        return read_request(CreateCheckoutSessionRequest, body), environment
    sign_in = read_request(SignInRequest, body)
    check_address("signInReturnUrl", sign_in.sign_in_return_url)
    return sign_in, environment


def _signed_by(button: PressedButton, public_keys: Mapping[str, RSAPublicKey]) -> tuple[str, str]:
    """The id of the key whose signature it is, and the text that was signed.

    A browser writes every line end of a form's field as CR and LF, whichever the text had.
    """
    key_id = button.public_key_id
    if key_id is not None and key_id not in public_keys:
        raise Refusal("InvalidAuthentication", f"The public key id {key_id[:50]!r} is not known")
    algorithm = next((known for known in Algorithm if known.wire_name == button.algorithm), None)
    if algorithm is None:
        accepted = ", ".join(known.wire_name for known in Algorithm)
        raise Refusal(
            "InvalidParameterValue", f"algorithm: {button.algorithm[:50]!r} is not accepted; accepted are {accepted}"
        )
    candidates = [key_id] if key_id is not None else list(public_keys)
    for text in dict.fromkeys((button.payload_json, button.payload_json.replace("\r\n", "\n"))):
        for candidate in candidates:
            if verify(public_keys[candidate], algorithm, text, button.signature):
                return candidate, text
    raise Refusal(
        "InvalidRequestSignature",
        f"Unable to verify signature of the button's payload, algorithm {algorithm.wire_name}: the page has to hand on "
        "exactly the text that was signed",
    )


def _is_sign_in(body: bytes) -> bool:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(payload, dict) and "signInReturnUrl" in payload
