"""What the page says, in each language; and that nothing of anybody's becomes a part of its HTML."""

import re
import string
from collections.abc import Mapping
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.starter.errors import NotAnsweredError
from perennial_billing.starter.portal import app, shown
from perennial_billing.starter.portal.colours import contrast, sheet, written_on
from perennial_billing.starter.portal.languages import LANGUAGES, Speech, language_of, messages_of
from perennial_billing.starter.portal.merchant import Merchant, Reason, Words
from perennial_billing.starter.portal.purposes import Purpose
from tests.portal.conftest import MERCHANT, PortalHouse, served, with_merchant

FOLDER = Path(app.__file__).parent
EVIL = "</p><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"


def tags_of(html: str) -> list[tuple[str, list[str]]]:
    """The elements that a browser makes of it, each with its attributes."""
    found: list[tuple[str, list[str]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, [name for name, _ in attrs]))

    Tags().feed(html)
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def of(message: str | Mapping[str, str]) -> set[str]:
    forms = [message] if isinstance(message, str) else message.values()
    return set().union(*map(placeholders, forms))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_message_with_the_same_placeholders(language: str) -> None:
    english, theirs = messages_of("en"), messages_of(language)

    assert theirs.keys() == english.keys()
    for key, message in theirs.items():
        assert of(message) == of(english[key]), key
        texts = [message] if isinstance(message, str) else list(message.values())
        assert all(text.strip() for text in texts), key
        assert isinstance(message, str) == isinstance(english[key], str), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_counted_has_each_of_the_languages_plural_forms(language: str) -> None:
    speech = Speech(language)
    for key, message in messages_of(language).items():
        if not isinstance(message, str):
            assert message.keys() == {*speech.locale.plural_form.rules, "other"}, key


def test_every_message_is_used_and_every_message_that_is_used_is_there() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for pattern in ("*.py", "templates/*.html") for path in FOLDER.glob(pattern)
    )
    for key in messages_of("en"):
        family, _, rest = key.partition(".")
        is_built = family in {"every", "act", "confirm", "done", "what"} or key.startswith("status.pause")
        assert is_built or f'"{key}"' in source or (rest.endswith(".text") and f'"{key[:-5]}"' in source), key
    for used in re.findall(r'(?:say|count)\("([a-z_.-]+[a-z])"', source):
        assert used in messages_of("en"), used


DATES = {
    "en": ("February 1, 2028", "€1,234.50", "every 3 months"),
    "de": ("1. Februar 2028", "1.234,50 €", "alle 3 Monate"),
    "fr": ("1 février 2028", "1 234,50 €", "tous les 3 mois"),
    "it": ("1 febbraio 2028", "1.234,50 €", "ogni 3 mesi"),
    "es": ("1 de febrero de 2028", "1.234,50 €", "cada 3 meses"),
    "ja": ("2028年2月1日", "€1,234.50", "3か月ごとに"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_amounts_and_plurals_are_written_as_the_language_does(language: str) -> None:
    speech = Speech(language, "Europe/Rome")
    said = (
        speech.date(datetime(2028, 1, 31, 23, 20, tzinfo=UTC)),
        speech.amount(Money.model_validate({"amount": "1234.50", "currency": "EUR"})),
        speech.count("every.month", 3),
    )
    assert tuple(re.sub(r"[\u00a0\u202f]", " ", each) for each in said) == DATES[language]
    assert speech.amount(Money.model_validate({"amount": "980", "currency": "JPY"})).count("980") == 1


@pytest.mark.parametrize(
    ("asked", "accepted", "spoken"),
    [
        (None, None, "en"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "pt-BR,es;q=0.5,fr;q=0.7", "fr"),
        ("ja", "de", "ja"),
        ("JA-jp", "de", "ja"),
        ("xx", "it", "it"),
        (None, "fr;q=0,es;q=nonsense,*", "en"),
        ('"><script>', "," * 5_000, "en"),
    ],
)
def test_the_link_decides_on_the_language_and_then_the_browser(
    asked: str | None, accepted: str | None, spoken: str
) -> None:
    assert language_of(asked, accepted) == spoken


@pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#777777", "#767676", "#ff9900", "#7a3e12", "#00ff00"])
def test_a_button_of_any_colour_can_be_read(colour: str) -> None:
    assert contrast(colour, written_on(colour)) >= 4.5
    assert sheet(colour) == f":root{{--own:{colour};--on-own:{written_on(colour)}}}\n"


def test_contrast_is_reckoned_as_wcag_does() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


def test_a_word_that_a_language_lacks_is_said_in_the_first_that_has_it() -> None:
    words = Words(fr="Thé du mois", ja="今月のお茶")

    assert [words.in_language(each) for each in ("ja", "de", "fr")] == ["今月のお茶", "Thé du mois", "Thé du mois"]


async def test_what_a_merchant_says_is_text_and_never_html(page: PortalHouse) -> None:
    subscriber = await page.subscribed(reference="ref-script-1")
    evil = MERCHANT.model_copy(
        update={
            "name": EVIL,
            "contact": f"mailto:x@shop.example?subject={EVIL}",
            "return_url": "https://shop.example/\"onfocus='alert(1)'",
            "reasons": (Reason(id="evil", words=Words(en=EVIL)),),
            "plans": {"tee-monatlich": Words(en=EVIL)},
        }
    )
    async with served(with_merchant(page.portal, evil), page.house) as running:
        buyer = running.buyer
        overview = await buyer.open(running.link(subscriber.charge_permission_id) + "?lang=%22%3E%3Cscript%3E")
        asked = await buyer.ask(overview, "cancel", lang=EVIL)
        done = await buyer.confirm(asked, reason=EVIL, lang=EVIL)
    for each in (overview, asked, done):
        assert each.status == 200
        tags = tags_of(each.html)
        assert {tag for tag, _ in tags} & {"script", "img"} == set()
        assert [name for _, names in tags for name in names if name.startswith("on")] == []
        assert "alert('x')" in each.text, "it is shown as it was written"
    assert (await page.asked(subscriber.charge_permission_id))[0][2] == "on the buyer's page"


async def test_what_is_sent_comes_back_as_text_where_it_may_be_sent_again(
    page: PortalHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = await page.subscribed()
    asked = await page.buyer.open(page.link(subscriber.charge_permission_id, Purpose.CANCEL))

    async def late(_self: object, permission: str, _change: object, request_id: str) -> None:
        raise NotAnsweredError(permission, request_id, accepted=False)

    monkeypatch.setattr(type(page.portal.subscriptions), "change", late)
    answer = await page.buyer.confirm(asked, reason=EVIL, **{'"><b>': "x"})

    assert answer.status == 503
    assert {tag for tag, _ in tags_of(answer.html)} & {"script", "img", "b"} == set()


async def test_a_declined_payment_is_told_in_a_buyers_words(page: PortalHouse) -> None:
    """Amazon's reason code, and what it may say beside it, is the merchant's to read."""
    subscriber = await page.subscribed()
    permission = subscriber.charge_permission_id
    await page.house.simulator.script(permission, ["HardDeclined"])
    await subscriber.until_due(1)

    overview = await page.buyer.open(page.link(permission))
    assert "Eine Zahlung über 17,40 € wurde abgelehnt. Bitte ändern Sie Ihre Zahlungsart." in overview.text
    assert "Abgelehnt" in overview.text
    assert "HardDeclined" not in overview.html
    await subscriber.mend_card()
    assert "Ihr Abonnement läuft." in (await page.buyer.open(page.link(permission))).text


async def test_a_refund_is_told(page: PortalHouse) -> None:
    subscriber = await page.subscribed()
    permission = subscriber.charge_permission_id
    part = RefundPeriod(period=0, amount=Money.model_validate({"amount": "2.30", "currency": "EUR"}))
    await page.house.subscriptions.refund(permission, part)
    await subscriber.quiet()

    text = (await page.buyer.open(page.link(permission))).text
    assert "2,30 € erstattet" in text or "Erstattung von 2,30 € unterwegs" in text


def test_the_days_of_a_pause_are_the_merchants(monkeypatch: pytest.MonkeyPatch) -> None:
    class View:
        next_charge_at = datetime(2027, 10, 30, 22, 30, tzinfo=UTC)

    days = shown.pause_days(View(), Merchant(longest_pause_days=10), Speech("de", "Europe/Berlin"))  # type: ignore[arg-type]
    assert days == (date(2027, 11, 1), date(2027, 11, 10))
