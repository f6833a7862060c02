"""The docs have the API as the code has it."""

from tests.api.reference import DESCRIPTION, PAGE, as_text, described, with_addresses


def test_the_docs_have_the_description_and_every_address() -> None:
    description = described()

    assert DESCRIPTION.read_text() == as_text(description), "bring it up to date: python -m tests.api.reference"
    assert PAGE.read_text() == with_addresses(PAGE.read_text(), description), "python -m tests.api.reference"
