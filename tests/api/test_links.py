"""Whoever follows the links of the description meets no fault, whatever is sent on the way; and gets somewhere.

pytest tests/api/test_links.py                               # some walks
pytest tests/api/test_links.py --hypothesis-profile soak     # many more, and longer ones
"""

import asyncio
from typing import Final

from hypothesis import HealthCheck, Phase, settings

from tests.api.conftest import Api
from tests.api.reference import described
from tests.unreliable import unreliable

SOAKS: Final = settings.get_current_profile_name() == "soak"
WALKS: Final = settings(
    max_examples=300 if SOAKS else 7,
    stateful_step_count=60 if SOAKS else 20,
    deadline=None,
    phases=list(Phase) if SOAKS else [Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
"""Few walks, and none is made shorter when it fails: what was sent stands in the failure."""


async def test_no_walk_along_the_links_meets_a_fault(api: Api) -> None:
    from tests.api.walking import walks_along

    async with unreliable() as endpoint:
        walks, linked = walks_along(api, endpoint.url, asyncio.get_running_loop())
        await asyncio.to_thread(walks.run, settings=WALKS)

    arrived = {operation: count for (operation, status), count in linked.items() if status < 300}
    assert sum(arrived.values()) >= 25, linked
    assert len(arrived) >= 10, linked


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
