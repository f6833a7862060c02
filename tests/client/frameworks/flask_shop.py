"""A Flask application, asked twenty times each for an async view and a sync view."""

import json
import sys

from flask import Flask

from tests.client.frameworks.shop import charge_awaited, charge_blocking

app = Flask(__name__)


@app.get("/async/<key>")
async def async_view(key: str) -> str:
    return await charge_awaited(key)


@app.get("/sync/<key>")
def sync_view(key: str) -> str:
    return charge_blocking(key)


if __name__ == "__main__":
    browser = app.test_client()
    answers = [browser.get(f"/{view}/{view}-{number}") for view in ("async", "sync") for number in range(20)]
    sys.stdout.write(json.dumps([each.text if each.status_code == 200 else each.status for each in answers]))
