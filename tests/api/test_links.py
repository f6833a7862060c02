"""Whoever follows the links of the description meets no fault, whatever is sent on the way; and gets somewhere.

pytest tests/api/test_links.py                               # some walks
pytest tests/api/test_links.py --hypothesis-profile soak     # many more, and longer ones
"""

import asyncio
from typing import Final

import pytest
from hypothesis import settings

from tests.api.conftest import Api
from tests.api.reference import described
from tests.unreliable import unreliable

SOAKS: Final = settings.get_current_profile_name() == "soak"
WALKS: Final = 300 if SOAKS else 5
STEPS: Final = 60 if SOAKS else 20


@pytest.mark.timeout(3_600)
async def test_no_walk_along_the_links_meets_a_fault(api: Api) -> None:
    from tests.api.walking import walk

    async with unreliable() as endpoint:
        loop = asyncio.get_running_loop()
        walked = await asyncio.to_thread(walk, api, endpoint.url, loop, walks=WALKS, steps=STEPS)

    assert not walked.failed, "\n\n".join(walked.failed)[:6000]
    arrived = {operation: count for (operation, status), count in walked.linked.items() if status < 300}
    assert sum(arrived.values()) >= 15, walked.linked
    assert len(arrived) >= 8, walked.linked


def test_a_link_leads_to_whatever_can_be_done_about_what_was_made() -> None:
    operations = {
        operation["operationId"]: (path, operation)
        for path, item in described()["paths"].items()
        for operation in item.values()
    }
    links = [
        link
        for _, operation in operations.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    about_one = {name for name, (path, _) in operations.items() if "{charge_permission_id}" in path}
    about_one |= {name for name, (path, _) in operations.items() if "{endpoint_id}" in path}

    assert about_one <= {link["operationId"] for link in links}
    for link in links:
        _, to = operations[link["operationId"]]
        given, takes = set(link.get("parameters", {})), to.get("parameters", [])
        assert given <= {each["name"] for each in takes}, link
        assert given >= {each["name"] for each in takes if each["in"] == "path"}, link
        assert "requestBody" in to or "requestBody" not in link, link
