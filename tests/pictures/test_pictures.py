"""The pictures of docs/images are those that the rules give."""

import xml.etree.ElementTree as ET
from typing import Final

import pytest

from perennial_billing.billing.status import Status
from tests.pictures.all import IMAGES, PICTURES
from tests.pictures.drawing import WIDTH
from tests.pictures.life import life

SVG: Final = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_one_that_the_rules_give(name: str) -> None:
    assert (IMAGES / f"{name}.svg").read_text() == PICTURES[name](), "bring it up to date: python -m tests.pictures"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_words_for_those_who_cannot_see_it_and_keeps_within_its_frame(name: str) -> None:
    root = ET.fromstring(PICTURES[name]())

    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text
    places = [(float(each.attrib["x"]), float(each.attrib["y"])) for each in root.iter(f"{SVG}text")]
    assert all(0 <= x <= WIDTH and 0 <= y <= float(root.attrib["height"]) for x, y in places)


def test_the_life_that_is_drawn_has_a_decline_of_each_kind_a_pause_and_an_end() -> None:
    lived = life()

    statuses = list(dict.fromkeys(moment.status for moment in lived.moments))
    assert {Status.RETRYING, Status.AWAITING_PAYMENT_METHOD, Status.PAUSED} < set(statuses)
    assert statuses[-1] is Status.CANCELED
    charges = [(f"{each.at:%m-%d}", each.charge) for each in lived.moments if each.charge]
    assert charges == [
        ("03-01", "captured"),
        ("04-01", "SoftDeclined"),
        ("04-01", "SoftDeclined"),
        ("04-02", "SoftDeclined"),
        ("04-04", "SoftDeclined"),
        ("04-08", "captured"),
        ("05-01", "HardDeclined"),
        ("05-13", "captured"),
        ("06-01", "captured"),
        ("08-01", "captured"),
    ]
