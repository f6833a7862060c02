"""What signing a request costs beside the bare RSA signature: the canonical form, the hashes and the headers.

The floor is the signature that `cryptography` makes over the same string to sign. Nothing can sign faster than that,
so what is above it is ours: what the client does with each request before it goes out.
Aim: at most 1.10 times the floor.

Run: `python -m benchmarks.signing [--rounds N] [--signatures N] [--json]`
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from amazon_pay_client.identity import user_agent
from amazon_pay_client.models import CreateChargeRequest, Currency, MerchantMetadata, Price
from amazon_pay_client.regions import Region
from amazon_pay_client.signing import IDEMPOTENCY_HEADER, Algorithm, SignatureAuth, string_to_sign
from amazon_pay_simulator.certificates import new_key
from benchmarks.report import Report

AIM: Final = 1.10
"""Times the floor."""


@dataclass(frozen=True, slots=True)
class Round:
    """The medians of one round, in microseconds."""

    bare: float
    signed: float

    @property
    def ratio(self) -> float:
        return self.signed / self.bare


def measure(private_key: RSAPrivateKey, algorithm: Algorithm, signatures: int) -> Round:
    """Times bare signatures and signed requests, of each pair now the one and now the other first."""
    auth = SignatureAuth("SANDBOX-BENCHMARK", private_key, Region.NA, algorithm)
    text = string_to_sign(algorithm, "of the same length for every request").encode()
    digest = hashes.SHA256()
    bare: list[float] = []
    signed: list[float] = []
    for number, request in enumerate(create_charges(signatures)):

        def sign_request(request: Unsigned = request) -> object:
            return auth.headers_for("POST", request.url, request.headers, request.body)

        def sign_text() -> object:
            return private_key.sign(text, algorithm.padding, digest)

        turns = [(bare, sign_text), (signed, sign_request)]
        for times, what in turns if number % 2 else reversed(turns):
            times.append(_microseconds(what))
    return Round(statistics.median(bare), statistics.median(signed))


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A request as the client has prepared it, before it is signed."""

    url: httpx.URL
    headers: dict[str, str]
    body: bytes


def create_charges(count: int) -> list[Unsigned]:
    """Requests as the client prepares them, each with an idempotency key of its own."""
    body = CreateChargeRequest(
        charge_permission_id="C01-1234567-1234567",
        charge_amount=Price(amount=Decimal("14.00"), currency_code=Currency.USD),
        capture_now=True,
        merchant_metadata=MerchantMetadata(
            merchant_reference_id="C01-1234567-1234567/2026-11",
            merchant_store_name="The Coffee Club",
            note_to_buyer="Your subscription for November",
        ),
    ).to_json()
    headers = {"accept-encoding": "identity", "user-agent": user_agent(None)}
    return [
        Unsigned(
            httpx.URL("https://pay-api.amazon.com/v2/charges"), {**headers, IDEMPOTENCY_HEADER: f"{number:032}"}, body
        )
        for number in range(count)
    ]


def run(rounds: int, signatures: int) -> Report:
    """Measures both algorithms by turns; a first round is a warm-up that does not count."""
    private_key = new_key()
    found: dict[Algorithm, list[Round]] = {algorithm: [] for algorithm in Algorithm}
    for number in range(rounds + 1):
        for algorithm, counted in found.items():
            measured = measure(private_key, algorithm, signatures)
            if number:
                counted.append(measured)
    figures = {algorithm.wire_name: _figures(counted) for algorithm, counted in found.items()}
    return Report(
        "Signing one Create Charge",
        ("algorithm", "bare, µs", "signed, µs", "ratio", "lowest", "highest"),
        [
            (
                name,
                f"{of['bare_microseconds']:.1f}",
                f"{of['signed_microseconds']:.1f}",
                *(f"{of[ratio]:.3f}" for ratio in ("ratio", "lowest_ratio", "highest_ratio")),
            )
            for name, of in figures.items()
        ],
        {"rounds": rounds, "signatures_a_round": signatures, "aim": AIM, "algorithms": figures},
        f"medians of {rounds} rounds of {signatures}; bare is RSA-2048 alone; the aim is a ratio of at most {AIM}",
    )


def _figures(rounds: Sequence[Round]) -> dict[str, float]:
    ratios = [of.ratio for of in rounds]
    return {
        "bare_microseconds": statistics.median(of.bare for of in rounds),
        "signed_microseconds": statistics.median(of.signed for of in rounds),
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
    }


def _microseconds(what: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    what()
    return (time.perf_counter_ns() - began) / 1_000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.signing", description="Signing beside the bare RSA signature.")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured")
    parser.add_argument("--signatures", type=int, default=300, help="of each kind in a round, for each algorithm")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    run(options.rounds, options.signatures).print(as_json=options.json)
