"""What the buyer reads: templates are refused when they are written, and filled in once for each period."""

from datetime import date, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from perennial_billing.billing.agenda import main_command
from perennial_billing.billing.changes import AddItem, ChangePlan, RefundPeriod, When
from perennial_billing.billing.changes import Capture as CaptureNow
from perennial_billing.billing.contract.contract import DATES_AHEAD, Contract
from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.contract.texts import texts_of
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Capture, Plan
from perennial_billing.billing.plan.texts import (
    LIMITS,
    LONGEST_MERCHANT_REFERENCE,
    PLACEHOLDERS,
    ChargeTexts,
    PeriodInWords,
    Texts,
)
from perennial_billing.billing.protocol.answers import ChargeAnswer, ChargeOutcome
from perennial_billing.billing.protocol.commands import (
    Action,
    CaptureAuthorized,
    CaptureCharge,
    CreateCharge,
    CreateRefund,
    Elapse,
)
from perennial_billing.billing.refusals import refusal_of
from perennial_billing.billing.subscription import Subscription
from perennial_billing.runtime.payloads import JsonPayloads
from tests.billing.support import (
    CAPTURED,
    MONTHLY,
    PERMISSION_ID,
    PRICE,
    SOFT,
    Life,
    at,
    chargeable,
    declined,
    refused,
)

CHARGE: Final = Action.CHARGE
PLAN: Final[dict[str, Any]] = {  # Any: as it comes from a file
    "plan_id": "basic",
    "amount": {"amount": "9.99", "currency": "EUR"},
    "interval": {"unit": "month"},
}
TEXTS: Final = Texts(
    soft_descriptor="BASIC {start}",
    note_to_buyer="{plan} no. {nth}: {start} to {last_day}",
    merchant_store_name="The Basic Shop",
    custom_information='{{"period": {period}, "until": "{end}", "of": "{merchant_reference}"}}',
)
FEBRUARY: Final = PeriodInWords(1, date(2026, 2, 28), date(2026, 3, 31), "basic", "order-7")


def plan(texts: Texts | None = TEXTS, capture: Capture = Capture.NOW, plan_id: str = "basic") -> Plan:
    return Plan.of(plan_id, PRICE, MONTHLY, capture=capture, texts=texts)


def agreed(of: Plan, zone: str = "UTC", anchor: str = "2026-01-31 09:00") -> Terms:
    return Terms(
        charge_permission_id=PERMISSION_ID, plan=of, anchor=at(anchor), zone=zone, merchant_reference="order-7"
    )


def refusal(texts: dict[str, object], **changed: object) -> str:
    with pytest.raises(ValidationError) as error:
        Plan.model_validate(PLAN | changed | {"texts": texts})
    return str(refusal_of(error.value))


def sent(life: Life) -> ChargeTexts | None:
    """What the attempt that stands next is sent with."""
    command = main_command(life.subscription)
    assert isinstance(command, CreateCharge)
    return command.texts


def begun(life: Life, when: str) -> ChargeTexts | None:
    """The period that falls due is begun, and what its first attempt is sent with."""
    life.now = at(when)
    command = main_command(life.subscription)
    assert isinstance(command, Elapse)
    life.elapses(command.timer)
    return sent(life)


def test_each_placeholder_has_its_value() -> None:
    template = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)

    texts = Texts(note_to_buyer=template).filled(FEBRUARY)

    assert PLACEHOLDERS == ("period", "nth", "start", "end", "last_day", "merchant_reference", "plan")
    assert texts == ChargeTexts(note_to_buyer="1 2 2026-02-28 2026-03-31 2026-03-30 order-7 basic")


def test_what_a_release_has_filled_in_stays_as_it_is() -> None:
    """An attempt that is repeated by a newer release is sent as it was: these words are for ever."""
    assert TEXTS.filled(FEBRUARY) == ChargeTexts(
        soft_descriptor="BASIC 2026-02-28",
        note_to_buyer="basic no. 2: 2026-02-28 to 2026-03-30",
        merchant_store_name="The Basic Shop",
        custom_information='{"period": 1, "until": "2026-03-31", "of": "order-7"}',
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{}}", "{}"),
        ("{{plan}}", "{plan}"),
        ("{{{plan}}}", "{basic}"),
        ("100 % grün ☕ %s $plan", "100 % grün ☕ %s $plan"),
        ("  {plan}  ", "basic"),
    ],
)
def test_a_brace_that_is_written_twice_is_one_and_nothing_else_has_a_meaning(template: str, text: str) -> None:
    assert Texts(note_to_buyer=template).filled(FEBRUARY) == ChargeTexts(note_to_buyer=text)


def test_a_value_is_not_taken_for_a_template() -> None:
    """It is replaced by its text and nothing else."""
    words = FEBRUARY._replace(plan="{merchant_reference}", merchant_reference="{{plan}}")

    assert Texts(note_to_buyer="{plan} {merchant_reference}").filled(words) == ChargeTexts(
        note_to_buyer="{merchant_reference} {{plan}}"
    )


def test_a_text_that_comes_to_nothing_is_not_sent() -> None:
    words = FEBRUARY._replace(merchant_reference="")

    assert Texts(note_to_buyer="{merchant_reference}").filled(words) is None
    assert Texts().filled(words) is None
    assert Texts(note_to_buyer="{merchant_reference}", merchant_store_name="Shop").filled(words) == ChargeTexts(
        merchant_store_name="Shop"
    )


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{amount}", ["{amount} is not accepted", "of placeholders, {period}, {nth}, {start}, {end}, {last_day}"]),
        ("{}", ["{} is not accepted"]),
        ("{ plan }", ["{ plan } is not accepted"]),
        ("{plan.plan_id}", ["{plan.plan_id} is not accepted"]),
        ("{plan!r}", ["{plan!r} is not accepted"]),
        ("{period:09}", ["{period:09} is not accepted"]),
        ("{plan", ["a single { is not accepted", "written twice, {{ or }}"]),
        ("plan}", ["a single } is not accepted"]),
        ("{{plan}", ["a single } is not accepted"]),
        ("{plan{nth}}", ["a single { is not accepted"]),
        ("one\ntwo", ["'\\n' is not accepted", "in one line"]),
        ("bell\x07", ["'\\x07' is not accepted"]),
        ("turned \u202earound", ["'\\u202e' is not accepted"]),
        ("no\u200bthing", ["'\\u200b' is not accepted"]),
        ("", ["'' is not accepted", "leave the field out"]),
        ("   ", ["'   ' is not accepted"]),
        ("{" + "x" * 300 + "}", ["x" * 60 + "…} is not accepted"]),
    ],
)
def test_what_is_no_template_is_refused(template: str, named: list[str]) -> None:
    message = refusal({"note_to_buyer": template})

    assert message.startswith("texts.note_to_buyer: ")
    assert [words for words in named if words not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize(
    ("texts", "changed", "named"),
    [
        ({"soft_descriptor": "x" * 17}, {}, ["texts.soft_descriptor", "at most 16", "it may come to 17"]),
        ({"soft_descriptor": "BASIC  {start}"}, {}, ["may come to 17 ({start} 10)"]),
        ({"soft_descriptor": "{nth}{period}xxx"}, {}, ["may come to 17 ({nth} 7, {period} 7)"]),
        ({"soft_descriptor": "{plan}"}, {"plan_id": "seventeen-letters"}, ["may come to 17 ({plan} 17)"]),
        ({"soft_descriptor": "\U0001f6cd" * 9}, {}, ["may come to 18"]),
        ({"soft_descriptor": "{merchant_reference}"}, {}, ["may come to 128 ({merchant_reference} 128)"]),
        ({"merchant_store_name": "x" * 51}, {}, ["texts.merchant_store_name", "at most 50"]),
        ({"merchant_store_name": "{merchant_reference}"}, {}, ["at most 50", "may come to 128"]),
        ({"note_to_buyer": "x" * 256}, {}, ["texts.note_to_buyer", "at most 255", "x" * 60 + "…"]),
        ({"note_to_buyer": "{merchant_reference}" * 2}, {}, ["at most 255", "may come to 256"]),
        ({"custom_information": "x" * 4097}, {}, ["texts.custom_information", "at most 4096"]),
        ({"footer": "x"}, {}, ["texts.footer", "there is no such field"]),
        ({"note_to_buyer": 7}, {}, ["texts.note_to_buyer", "text is"]),
    ],
)
def test_what_can_get_longer_than_amazon_takes_is_refused(
    texts: dict[str, object], changed: dict[str, object], named: list[str]
) -> None:
    message = refusal(texts, **changed)

    assert [words for words in named if words not in message] == []
    assert len(message) < 300


@pytest.mark.parametrize(
    "texts",
    [
        {"soft_descriptor": "x" * 16},
        {"soft_descriptor": "BASIC {start}"},
        {"soft_descriptor": "{plan}{{nth}}"},
        {"soft_descriptor": "\U0001f6cd" * 8},
        {"note_to_buyer": "{merchant_reference}{merchant_reference}"[:20] + "x" * 127},
        {"merchant_store_name": "x" * 50},
        {"custom_information": "x" * 4096},
    ],
)
def test_what_just_fits_is_accepted(texts: dict[str, str]) -> None:
    assert Plan.model_validate(PLAN | {"texts": texts}).texts == Texts(**texts)


pieces: Final = st.one_of(
    st.sampled_from([f"{{{name}}}" for name in PLACEHOLDERS]),
    st.sampled_from(["{{", "}}", " ", "☕", "\U0001f6cd", "x" * 10]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="{}"), max_size=30),
)
templates: Final = st.lists(pieces, min_size=1, max_size=6).map("".join)
plan_ids: Final = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
periods: Final = st.builds(
    lambda period, start, length, reference: PeriodInWords(
        period, start, min(start, date.max - timedelta(days=length)) + timedelta(days=length), "", reference
    ),
    period=st.integers(0, 9_999_998),
    start=st.dates(min_value=date(1970, 1, 1)),
    length=st.integers(0, 400),
    reference=st.from_regex(r"[A-Za-z0-9._:/#-]{0,128}", fullmatch=True),
)


@given(field=st.sampled_from(sorted(LIMITS)), template=templates, plan_id=plan_ids, period=periods)
def test_what_was_accepted_is_never_longer_than_amazon_takes(
    field: str, template: str, plan_id: str, period: PeriodInWords
) -> None:
    try:
        texts = Plan.model_validate(PLAN | {"plan_id": plan_id, "texts": {field: template}}).texts
    except ValidationError:
        return
    assert texts is not None

    filled = texts.filled(period._replace(plan=plan_id))

    if filled is None:
        assert template.replace("{merchant_reference}", "").strip() == "", "only what says nothing is left out"
        return
    text = getattr(filled, field)
    assert 0 < len(text) <= len(text.encode("utf-16-le")) // 2 <= LIMITS[field]


def test_a_text_that_would_be_too_long_after_all_holds_up_no_charge() -> None:
    beyond = FEBRUARY._replace(period=10**12)

    texts = Texts(soft_descriptor="BASIC {nth}", merchant_store_name="Shop").filled(beyond)

    assert texts == ChargeTexts(merchant_store_name="Shop")


def test_the_longest_reference_that_terms_take_is_the_longest_that_is_reckoned_with() -> None:
    longest = agreed(plan()).model_dump(mode="json") | {"merchant_reference": "x" * LONGEST_MERCHANT_REFERENCE}

    assert Terms.model_validate(longest).merchant_reference == "x" * 128
    with pytest.raises(ValidationError):
        Terms.model_validate(longest | {"merchant_reference": "x" * 129})


@pytest.mark.parametrize(
    ("zone", "start", "last_day"),
    [("UTC", "2026-01-31", "2026-02-27"), ("Asia/Tokyo", "2026-02-01", "2026-02-28")],
)
def test_dates_are_those_of_the_subscriptions_zone(zone: str, start: str, last_day: str) -> None:
    contract = Contract(terms=agreed(plan(), zone, "2026-01-31 16:00"))

    texts = texts_of(contract, 0)

    assert texts is not None
    assert texts.note_to_buyer == f"basic no. 1: {start} to {last_day}"


def test_each_period_is_charged_with_its_own_texts() -> None:
    life = Life(agreed(plan()))

    notes = []
    for when in ("2026-01-31 09:00", "2026-02-28 09:00"):
        texts = begun(life, when)
        assert texts is not None
        notes.append((texts.soft_descriptor, texts.note_to_buyer))
        life.answered(CAPTURED)

    assert notes == [
        ("BASIC 2026-01-31", "basic no. 1: 2026-01-31 to 2026-02-27"),
        ("BASIC 2026-02-28", "basic no. 2: 2026-02-28 to 2026-03-30"),
    ]


def test_an_attempt_that_is_repeated_says_what_it_said_although_the_plan_was_changed_meanwhile() -> None:
    life = Life(agreed(plan()))
    first = begun(life, "2026-01-31 09:00")
    life.answered(refused("UnauthorizedAccess"))
    life.ask("2026-01-31 09:30", ChangePlan(plan=plan(Texts(note_to_buyer="New words"))))

    repeated = sent(life)
    life.now = at("2026-01-31 10:00")
    life.answered(SOFT)
    life.answered(chargeable())
    second = begun(life, "2026-01-31 22:00")

    assert (
        first
        == repeated
        == second
        == TEXTS.filled(FEBRUARY._replace(period=0, start=date(2026, 1, 31), end=date(2026, 2, 28)))
    )
    life.answered(CAPTURED)
    assert begun(life, "2026-02-28 09:00") == ChargeTexts(note_to_buyer="New words")


def test_a_repetition_says_the_same_where_other_rules_of_the_zone_came_with_an_upgrade() -> None:
    """The state of the run begins with its days, so a replay by a newer release finds those."""
    subscription = Subscription.begin(agreed(plan(), "Europe/Berlin", "2026-01-30 23:30"))
    written = subscription.contract.written
    assert written.days is not None
    assert written.days[:2] == (date(2026, 1, 31), date(2026, 2, 28))

    moved = subscription.contract.but(written=written.but(days=tuple(day + timedelta(days=1) for day in written.days)))

    texts = texts_of(moved, 0)
    assert texts is not None
    assert texts.soft_descriptor == "BASIC 2026-02-01", "the day that was written down, not one that is reckoned anew"


def test_days_are_written_down_as_soon_as_a_plan_has_texts_and_those_that_stood_stay() -> None:
    life = Life(agreed(plan(texts=None)))
    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    assert life.subscription.contract.written.days is None

    life.ask("2026-02-10 09:00", ChangePlan(plan=plan()))
    written = life.subscription.contract.written

    assert written.days is not None
    assert [f"{each:%Y-%m-%d}" for each in written.dates] == [day.isoformat() for day in written.days]
    assert len(written.days) == DATES_AHEAD
    shifted = life.subscription.contract.but(
        written=written.but(days=tuple(day + timedelta(days=1) for day in written.days))
    )
    skipped = shifted.moved(3, at("2026-04-30 09:00"), at("2026-05-05 09:00")).written
    assert skipped.days is not None
    assert [day.isoformat() for day in skipped.days[1:5]] == ["2026-03-01", "2026-04-01", "2026-05-05", "2026-06-05"]


def test_a_descriptor_goes_with_the_capture_where_money_is_taken_later() -> None:
    life = Life(agreed(plan(capture=Capture.LATER)))
    texts = begun(life, "2026-01-31 09:00")
    assert texts is not None
    assert (texts.soft_descriptor, texts.merchant_store_name) == (None, "The Basic Shop")
    life.answered(ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-1-1-C000001"))
    life.ask("2026-02-05 09:00", ChangePlan(plan=plan(Texts(soft_descriptor="NEW"), Capture.LATER)))

    life.wants("2026-02-10 09:00", CaptureNow(period=0))

    (authorization,) = life.subscription.authorizations
    command = authorization.next_command
    assert isinstance(command, CaptureAuthorized)
    assert command.soft_descriptor == "BASIC 2026-01-31"


def test_a_descriptor_goes_with_the_capture_where_amazon_may_take_its_time() -> None:
    life = Life(agreed(plan()))
    begun(life, "2026-01-31 09:00")
    life.answered(declined("TransactionTimedOut"))
    life.answered(chargeable())

    texts = begun(life, "2026-01-31 21:00")
    life.answered(ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id="S01-1-1-C000001"))
    command = main_command(life.subscription)

    assert texts is not None
    assert texts.soft_descriptor is None
    assert isinstance(command, CaptureCharge)
    assert command.soft_descriptor == "BASIC 2026-01-31"


def test_a_refund_has_the_descriptor_of_its_period() -> None:
    life = Life(agreed(plan()))
    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    life.ask("2026-02-05 09:00", ChangePlan(plan=plan(texts=None)))
    life.step(CHARGE, "2026-02-28 09:00", CAPTURED)

    descriptors = []
    for period in (0, 1):
        life.wants("2026-03-01 09:00", RefundPeriod(period=period))
        command = life.subscription.refunds.latest[-1].next_command
        assert isinstance(command, CreateRefund)
        descriptors.append(command.soft_descriptor)

    assert descriptors == ["BASIC 2026-01-31", None]


def test_what_is_charged_by_itself_says_who_charges_and_not_what_the_plan_is_for() -> None:
    life = Life(agreed(plan()))
    life.step(CHARGE, "2026-01-31 09:00", CAPTURED)
    life.ask("2026-02-10 09:00", AddItem(amount=Money.parse("5.00 EUR"), what="a mug", when=When.NOW))

    texts = begun(life, "2026-02-10 09:00")
    life.answered(CAPTURED)

    assert texts == ChargeTexts(soft_descriptor="BASIC 2026-02-10", merchant_store_name="The Basic Shop")
    following = begun(life, "2026-02-28 09:00")
    assert following is not None
    assert following.note_to_buyer == "basic no. 3: 2026-02-28 to 2026-03-30"


def test_where_nothing_is_to_be_said_not_a_byte_is_written_of_it() -> None:
    life = Life(agreed(plan(texts=None)))
    begun(life, "2026-01-31 09:00")

    for value in (life.subscription, main_command(life.subscription)):
        written = JsonPayloads().to_payload(value).data
        assert [word for word in (b"texts", b"descriptor", b"days", b"note_to") if word in written] == []
