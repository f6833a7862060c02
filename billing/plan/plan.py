"""What a merchant sells: phases of how much, how often and how long, and what happens when a charge fails."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from perennial_billing.billing.calendar import Interval
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan.lead_times import LeadTimes
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.plan.texts import Texts
from perennial_billing.billing.refusals import Refused
from perennial_billing.billing.values import Value

MOST_PHASES: Final = 24
MOST_PERIODS: Final = 100_000

_PLANS_SHARED: Final = 500
"""Plans that a process knows again: some 4 kB each."""

_OF_A_PHASE: Final = ("amount", "interval", "periods")


class Capture(StrEnum):
    """When the money of a charge is taken."""

    NOW = "now"
    """With the charge."""
    LATER = "later"
    """When the merchant says so, for instance as goods are sent: within 30 days, all of it or a part."""


class Amounts(StrEnum):
    """Who says what a period costs."""

    FIXED = "fixed"
    """The phases."""
    ASKED = "asked"
    """An endpoint of the merchant's, when the period falls due; the phases say how much it may be at most."""


class LastPeriod(StrEnum):
    """What a period costs within which the subscription is to end, as somebody planned before it was charged."""

    WHOLE = "whole"
    SHORT = "short"
    """Its days' share of the price."""


class Phase(Value):
    """Periods that are alike: a trial, an introductory price, the instalments of a term, what is paid from then on.

    Attributes:
        amount: what each period costs, for each unit of the subscription's quantity; zero for a trial.
        interval: the time between two due dates.
        periods: how many; None for as long as the subscription lives.
    """

    amount: Money
    interval: Interval
    periods: Annotated[int, Field(ge=1, le=MOST_PERIODS)] | None = None

    def __str__(self) -> str:
        price = "nothing" if self.amount.is_zero else str(self.amount)
        if self.periods == 1:
            return f"{self.interval} for {price}"
        return f"{price} {self.interval.each}" + (f", {self.periods} times" if self.periods else "")


class Plan(Value):
    """One plan. Where it has a single phase, that phase's fields may be given instead of `phases`.

    Attributes:
        plan_id: the merchant's name for it, shown in the Web UI.
        phases: one after the other; only the last one may be open.
        amounts: who says what a period costs.
        capture: when the money is taken.
        collection: what happens when a charge fails.
        last_period: what a period costs that an end cuts short.
        lead_times: how long before something happens the merchant is told; None where only of what has happened.
        texts: what the buyer reads of a charge; None where Amazon's own words are enough.
    """

    plan_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=MOST_PHASES)]
    amounts: Amounts = Amounts.FIXED
    capture: Capture = Capture.NOW
    collection: CollectionPolicy = CollectionPolicy()
    last_period: LastPeriod = LastPeriod.WHOLE
    lead_times: LeadTimes | None = None
    texts: Texts | None = None

    @classmethod
    def of(
        cls,
        plan_id: str,
        amount: Money,
        interval: Interval,
        periods: int | None = None,
        *,
        after: Sequence[Phase] = (),
        capture: Capture = Capture.NOW,
        collection: CollectionPolicy | None = None,
        texts: Texts | None = None,
    ) -> Self:
        """A plan of one phase, or of one after others such as a trial."""
        return cls(
            plan_id=plan_id,
            phases=(*after, Phase(amount=amount, interval=interval, periods=periods)),
            capture=capture,
            collection=collection or CollectionPolicy(),
            texts=texts,
        )

    @model_validator(mode="before")
    @classmethod
    def _one_phase_in_short(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        of_a_phase = {name: given[name] for name in _OF_A_PHASE if name in given}
        if not of_a_phase:
            return given
        if "phases" in given:
            raise Refused("phases", "", f"they are given beside {', '.join(of_a_phase)}: one or the other is")
        rest: dict[str, Any] = {name: value for name, value in given.items() if name not in of_a_phase}  # Any: as given
        return rest | {"phases": [of_a_phase]}

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        for number, phase in enumerate(self.phases[:-1]):
            if phase.periods is None:
                raise Refused(
                    f"phases.{number}.periods", "", "a number of periods is, as only the last phase may be open"
                )
        currencies = dict.fromkeys(phase.amount.currency for phase in self.phases)
        if len(currencies) > 1:
            raise Refused("phases", " and ".join(currencies), "one currency is, as a charge permission has one")
        return self

    @model_validator(mode="after")
    def _texts_keep_to_amazons_limits(self) -> Self:
        if self.texts is not None:
            self.texts.check_lengths(self.plan_id)
        return self

    @property
    def regular(self) -> Phase:
        """The last phase: what the plan costs in the long run."""
        return self.phases[-1]

    @property
    def currency(self) -> str:
        """Of all its phases."""
        return self.regular.amount.currency

    @property
    def periods(self) -> int | None:
        """How many there are in all phases; None for as long as the subscription lives."""
        counts = [phase.periods for phase in self.phases]
        return None if counts[-1] is None else sum(count or 0 for count in counts)

    def __str__(self) -> str:
        return ", then ".join(str(phase) for phase in self.phases)


@lru_cache(maxsize=_PLANS_SHARED)
def one_of_equals(plan: Plan) -> Plan:
    """The first plan of this process that is equal to it: subscriptions that were sold the same share it, as a value
    that is frozen can be."""
    return plan


SharedPlan = Annotated[Plan, AfterValidator(one_of_equals)]
"""A plan as states hold it: thousands of subscriptions have one plan, and each is read from a text of its own."""
