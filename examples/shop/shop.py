"""A shop of one page that sells one subscription, with nothing but Python's standard library.

    SHOP_API=http://127.0.0.1:8602 SHOP_API_KEY=perennial_... SHOP_STORE_ID=amzn1... python examples/shop/shop.py

The key needs the scopes read and act. What is kept of a visitor is kept in memory here; a shop has its own sessions.
"""

import json
import os
import secrets
import sys
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

API, KEY = os.environ["SHOP_API"], os.environ["SHOP_API_KEY"]
STORE_ID = os.environ["SHOP_STORE_ID"]
ADDRESS = os.environ.get("SHOP_ADDRESS", "http://127.0.0.1:8610")
PAGE = Path(__file__).with_name("index.html").read_bytes()
PLAN = json.loads(Path(__file__).with_name("plan.json").read_text())

Visitor = dict[str, Any]
visitors: dict[str, Visitor] = {}


def ask(method: str, path: str, body: object = None, once: str | None = None) -> tuple[int, Any]:
    """The API's answer: its status, and what it says."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    if once is not None:
        headers["Idempotency-Key"] = once
    content = None if body is None else json.dumps(body).encode()
    request = Request(f"{API}{path}", content, headers, method=method)  # noqa: S310 - the API's own address
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except HTTPError as problem:
        return problem.code, json.load(problem)


def button(visitor: Visitor) -> tuple[int, Any]:
    """What Amazon's script needs to draw the button of the plan."""
    visitor["order"] = f"order-{secrets.token_hex(4)}"
    offer = {"plan": PLAN, "merchant_reference": visitor["order"]}
    status, made = ask(
        "POST", "/v1/checkout/button", offer | {"store_id": STORE_ID, "result_return_url": f"{ADDRESS}/thanks"}
    )
    if status == HTTPStatus.OK:
        visitor["amount"] = made["checkout_amount"]
    return status, made


def start(visitor: Visitor, session: str) -> tuple[int, Any]:
    """The buyer comes back from Amazon: the subscription is started, once, however often the page is loaded."""
    order = {"plan": PLAN, "merchant_reference": visitor.get("order", "")}
    checkout = {"checkout_session_id": session, "checkout_amount": visitor.get("amount")}
    status, begun = ask("POST", "/v1/subscriptions", order | checkout, once=session)
    if status == HTTPStatus.CREATED:
        visitor["subscription"] = begun["charge_permission_id"]
    return status, begun


def subscription(visitor: Visitor) -> tuple[int, Any]:
    """How the visitor's subscription stands, and where the card is changed."""
    identifier = visitor.get("subscription")
    if identifier is None:
        return HTTPStatus.OK, {"subscription": None}
    status, view = ask("GET", f"/v1/subscriptions/{identifier}")
    if status != HTTPStatus.OK:
        return status, view
    status, method = ask("GET", f"/v1/subscriptions/{identifier}/payment-method")
    shown = {"status": view["status"], "periods_paid": view["periods_paid"], "payment_method": method}
    return status, {"subscription": shown}


class Shop(BaseHTTPRequestHandler):
    """Answers the browser."""

    def do_GET(self) -> None:
        """One page, and what it asks for."""
        url, visitor = urlsplit(self.path), self.visitor()
        match url.path:
            case "/":
                self.answer(HTTPStatus.OK, PAGE, "text/html; charset=utf-8")
            case "/button":
                self.answer_json(*button(visitor))
            case "/subscription":
                self.answer_json(*subscription(visitor))
            case "/thanks":
                status, begun = start(visitor, parse_qs(url.query).get("amazonCheckoutSessionId", [""])[0])
                if status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
                    self.redirect("/" if status == HTTPStatus.CREATED else "/?canceled")
                else:
                    self.answer_json(status, begun)  # nobody answered in time: the page may be loaded again
            case _:
                self.answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def visitor(self) -> Visitor:
        """Who asks, by a cookie that no script can read."""
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("visitor")
        known = cookie is not None and cookie.value in visitors
        self.name = cookie.value if cookie is not None and known else secrets.token_urlsafe(24)
        return visitors.setdefault(self.name, {})

    def answer(self, status: int, body: bytes, kind: str) -> None:
        """Sends an answer, with the cookie by which the visitor is known again."""
        self.send_response(status)
        self.send_header("Set-Cookie", f"visitor={self.name}; HttpOnly; SameSite=Lax; Path=/")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, status: int, content: object) -> None:
        """Sends JSON."""
        self.answer(status, json.dumps(content).encode(), "application/json")

    def redirect(self, path: str) -> None:
        """Sends the browser to another page."""
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", path)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    where = urlsplit(ADDRESS)
    with ThreadingHTTPServer((where.hostname or "127.0.0.1", where.port or 8610), Shop) as server:
        sys.stdout.write(f"The shop is at {ADDRESS}\n")
        sys.stdout.flush()
        server.serve_forever()
