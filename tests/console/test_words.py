"""Words: there is a sentence for everything that can happen, stand or be asked for."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from perennial_billing.billing.changes import AnyRequest
from perennial_billing.billing.protocol.commands import Action
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.status import Status
from perennial_billing.starter.console import words
from perennial_billing.starter.console.pages import moment
from tests.ledger.told import notice


@pytest.mark.parametrize("kind", NoticeType)
def test_everything_that_happens_is_told_in_a_sentence(kind: NoticeType) -> None:
    told = words.told(notice(1, kind, period=3, reason_code="SoftDeclined", actor="ines", because="asked to"))

    assert told.what
    assert not told.what.endswith(".")
    assert told.details == ("period 3", "14.90 EUR", "SoftDeclined")
    assert told.asked == "ines: asked to"


def test_every_status_every_action_and_every_request_has_its_words() -> None:
    assert set(words._STANDS) == set(words.TONES) == set(Status)
    assert set(words._ACTIONS) == set(Action)
    kinds = set()
    for each in get_args(get_args(AnyRequest)[0]):
        change = get_args(each) or (each,)
        kinds |= {kind.model_fields["kind"].default for kind in (get_args(change[0]) or (change[0],))}
    assert kinds
    assert kinds == set(words._REQUESTS)


def test_a_first_attempt_is_not_counted_and_a_second_one_is() -> None:
    assert words.told(notice(1, attempt=1)).details == ("14.90 EUR",)
    assert words.told(notice(1, attempt=2)).details == ("14.90 EUR", "attempt 2")


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("UTC", "Sun 7 Mar 2027, 23:30 UTC"),
        ("Europe/Berlin", "Mon 8 Mar 2027, 00:30 Europe/Berlin"),
        ("America/New_York", "Sun 7 Mar 2027, 18:30 America/New_York"),
    ],
)
def test_an_instant_is_told_by_the_wall_of_a_zone_that_is_named(zone: str, said: str) -> None:
    assert moment(datetime(2027, 3, 7, 23, 30, tzinfo=UTC), zone) == said
