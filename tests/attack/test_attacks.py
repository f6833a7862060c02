"""Each kind of attack in small; in large: `make attack`."""

import pytest

from tests.attack import memory
from tests.attack.kind import Kind
from tests.attack.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_an_attack_stops_and_fills_nothing(kind: Kind) -> None:
    memory.forget_the_highest()
    before = memory.now()

    outcome = await kind.run(kind.small)

    assert outcome.failed == []
    assert sum(outcome.came_to.values()) == kind.small
    assert memory.highest() - before < kind.most_megabytes
