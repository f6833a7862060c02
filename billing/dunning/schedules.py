"""When dunning does what: retries, their hours and jitter, reminders, deadlines and grace, as a policy says."""

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from perennial_billing.billing.calendar import next_within_hours
from perennial_billing.billing.dunning.reasons import Meaning
from perennial_billing.billing.keys import THOUSANDTHS
from perennial_billing.billing.plan.policy import CollectionPolicy
from perennial_billing.billing.values import Value

_QUICK: Final = frozenset({Meaning.PROCESSING, Meaning.ASK_PERMISSION})


class Dunning(Value):
    """How far a policy is used up for one owed period.

    Attributes:
        policy: the plan's, as it stood when the first attempt failed.
        first_failed_at: when that was (UTC), later by what Amazon's monthly limit made it wait; deadlines count from
            it. None where collecting was begun anew since.
        attempts_spent: those that count against the policy's cap; Amazon's monthly limit spends none.
        soft_declines: how far the soft schedule is used up.
        processing_failures: how far the quick schedule is used up.
        reminders_told: how many reminders the merchant was sent.
        grace_is_over: the merchant was told that the grace has ended.
    """

    policy: CollectionPolicy
    first_failed_at: AwareDatetime | None = None
    attempts_spent: int = 0
    soft_declines: int = 0
    processing_failures: int = 0
    reminders_told: int = 0
    grace_is_over: bool = False

    def anew(self) -> "Dunning":
        """What fails from now on is collected with all the time and all the attempts of the policy."""
        return Dunning(policy=self.policy)

    def failed(self, now: datetime) -> "Dunning":
        """One more attempt is spent."""
        return self.but(first_failed_at=self.first_failed_at or now, attempts_spent=self.attempts_spent + 1)

    def delayed(self, since: datetime, until: datetime) -> "Dunning":
        """Time that does not count against the buyer."""
        return self.but(first_failed_at=self.first_failed_at and self.first_failed_at + (until - since))

    def reminded(self, now: datetime) -> "Dunning":
        """The reminders that are due by now are sent; several that are late are one."""
        return self.but(reminders_told=max(self.reminders_told, sum(at <= now for at in self.reminders)))

    def retry(self, now: datetime, meaning: Meaning | None, zone: str, spread: int) -> "tuple[Dunning, datetime] | str":
        """The next attempt's time by the schedules; or, in words, which of them is used up.

        Args:
            now: the instant of the failure (UTC).
            meaning: what it meant.
            zone: the subscription's, for hours of the day.
            spread: which part of a jitter is the subscriber's, in thousandths.
        """
        if self.is_capped:
            return self.why_capped
        policy = self.policy
        if meaning in _QUICK and self.processing_failures < len(policy.processing_failure_delays):
            delay = policy.processing_failure_delays[self.processing_failures]
            used = self.but(processing_failures=self.processing_failures + 1)
        elif self.soft_declines < len(policy.soft_decline_delays):
            delay = policy.soft_decline_delays[self.soft_declines]
            used = self.but(soft_declines=self.soft_declines + 1)
        else:
            return "the retry schedule is used up"
        at = now + delay + policy.retry_jitter * spread / THOUSANDTHS
        if policy.retry_hours is not None:
            at = next_within_hours(at, zone, policy.retry_hours.start, policy.retry_hours.end)
        return (used, at) if at <= used.last_instant else "the time to collect is over"

    @property
    def is_capped(self) -> bool:
        """Whether all attempts are spent."""
        return self.attempts_spent >= self.policy.max_attempts

    @property
    def why_capped(self) -> str:
        """That in words."""
        return f"all {self.policy.max_attempts} attempts failed"

    @property
    def last_instant(self) -> datetime:
        """No attempt later than this (UTC)."""
        return self._since + self.policy.collect_within

    @property
    def buyers_deadline(self) -> datetime:
        """Until when the buyer may mend the payment method (UTC)."""
        return self._since + self.policy.payment_method_deadline

    @property
    def reminders(self) -> list[datetime]:
        """When the merchant is reminded that the buyer has not (UTC)."""
        return sorted(self._since + delay for delay in self.policy.payment_method_reminders)

    @property
    def grace_ends_at(self) -> datetime | None:
        """When the subscriber is not to have what was bought any longer (UTC); None where that is over or not begun."""
        if self.first_failed_at is None or self.grace_is_over:
            return None
        return self.first_failed_at + self.policy.grace

    @property
    def _since(self) -> datetime:
        if self.first_failed_at is None:
            raise AssertionError("a period is dunned before its first failure was noted")
        return self.first_failed_at
