"""The merchant's file: what it says of the page, and what of it is refused."""

from pathlib import Path

import pytest

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.portal.merchant import merchants_of
from perennial_billing.starter.portal.purposes import Permission

FILE = """
name = "The Coffee Club"
allows = ["cancel", "pause"]
contact = "mailto:help@coffee.example"
colour = "#123456"
logo = "logo.svg"
longest_pause_days = 60
frame_ancestors = ["https://coffee.example"]

[[reasons]]
id = "too-expensive"
words = { en = "It is too expensive", ja = "価格が高い" }

[plans]
coffee-monthly = { en = "Coffee every month" }

[accounts.shop-eu]
name = "Kaffeeklub"
colour = "#ffeedd"
allows = ["cancel", "skip"]
"""


def written(folder: Path, text: str) -> Path:
    (folder / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    path = folder / "portal.toml"
    path.write_text(text)
    return path


def test_an_account_says_what_is_otherwise(tmp_path: Path) -> None:
    merchants = merchants_of(written(tmp_path, FILE))

    default, other = merchants.of("default"), merchants.of("shop-eu")
    assert (default.name, other.name) == ("The Coffee Club", "Kaffeeklub")
    assert default.allows == {Permission.CANCEL, Permission.PAUSE}
    assert other.allows == {Permission.CANCEL, Permission.SKIP}
    assert other.contact == default.contact == "mailto:help@coffee.example"
    assert other.contact_shown == "help@coffee.example"
    assert merchants.colours == {"#123456", "#ffeedd"}
    assert merchants.frame_ancestors == ("https://coffee.example",)
    logo = merchants.logo_of(other)
    assert logo is not None
    assert merchants.logo(logo.name) == logo
    assert logo.media_type == "image/svg+xml"
    assert (default.reason("too-expensive"), default.reason("<b>")) == ("too-expensive", None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name = 3", "name: "),
        ("colour = 'red; background: url(//x)'", "colour: "),
        ("contact = 'javascript:alert(1)'", "contact: "),
        ("return_url = 'javascript:alert(1)'", "return_url: "),
        ("logo = '../../etc/passwd'", "logo: "),
        ("logo = 'logo.exe'", "logo: logo.exe is none of .svg"),
        ("logo = 'none.png'", "none.png cannot be read"),
        ("allows = ['refund']", "allows"),
        ('frame_ancestors = ["https://x.example; script-src *"]', "frame_ancestors"),
        ("longest_pause_days = 0", "longest_pause_days: "),
        ("plans = { tea = {} }", "plans.tea: a text in at least one language"),
        ("accounts.shop.nmae = 'x'", "accounts.shop: nmae: "),
        ("accounts.'No Such'.name = 'x'", "accounts"),
        ("name =", "cannot be read"),
    ],
)
def test_what_is_not_accepted_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(StartupError, match=r"^PERENNIAL_PORTAL_PATH: ") as refused:
        merchants_of(written(tmp_path, text))

    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read"):
        merchants_of(tmp_path / "none.toml")


def test_without_a_file_nobody_is_named() -> None:
    merchants = merchants_of(None)

    assert merchants.of("default").name is None
    assert merchants.logo_of(merchants.of("default")) is None
    assert merchants.logo("x.svg") is None
