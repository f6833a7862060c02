"""What becomes of the state when something is changed on request; `billing.changes` says when that may be."""

from datetime import datetime
from typing import Final

from billing.life import Pause
from billing.notices import NoticeType
from billing.recurrence import Recurrence
from billing.schedule import Agreement
from billing.settling import Settling

ASKED_FOR: Final = "asked for"


class Changing(Settling):
    """Takes changes."""

    def check_changeable(self, now: datetime) -> None:
        """Whether anything can be changed.

        Raises:
            ValueError: it is ending, has ended, or waits for a new charge permission.
        """
        if self.ending is not None and self.ending.at <= now:
            raise ValueError(f"{self.ending.reason}: nothing can be changed any more")
        if self.cancellation is not None:
            raise ValueError("a cancellation was asked for: nothing can be changed any more")
        if self.lost_at is not None or self.successor is not None:
            raise ValueError("the charge permission is closed or being replaced: change it under the new one")

    def cancel_requested(self, reason: str) -> None:
        """Somebody asked to cancel; the first reason stands, and asking again changes nothing."""
        if self.cancellation is None and self._may_be_canceled:
            self.cancellation = reason

    def end_as_planned(self) -> None:
        """The planned cancellation is due; it begins when no charge is under way."""
        if self.planned_end is not None:
            self.cancel_requested(self.planned_end.reason)

    def agree(self, agreement: Agreement, now: datetime) -> datetime:
        """Something else holds from a period on; answers when that begins."""
        self._agree_on([*(each for each in self.agreements if each.first < agreement.first), agreement])
        self._tell_of_plan(agreement.first, now)
        return agreement.starts_at

    def charge_once(self, item: Agreement) -> None:
        """Something is charged by itself before the next period; what was agreed goes on after it."""
        before = [each for each in self.agreements if each.first < item.first]
        later = [each for each in self.agreements if each.first > item.first]
        later = [each.model_copy(update={"first": each.first + 1}) for each in later]
        self.agreements = [*before, item, _after(item, self.going_on(item.first)), *later]
        self.skips = [number + (number >= item.first) for number in self.skips]
        self.reschedule()

    def agreed_before(self, first: int) -> list[Agreement]:
        """What was agreed, without the changes that begin with a period or with a later one."""
        kept = [each for each in self.agreements if each.first < first]
        if not kept or kept[-1].once is None:
            return kept
        item = kept[-1]
        held = self.agreed_before(item.first)
        going_on = self.model_copy(update={"agreements": held}).going_on(item.first)
        return [*(each for each in held if each.first < item.first), item, _after(item, going_on)]

    def disagree(self, first: int, now: datetime) -> None:
        """What was agreed for a period on, or for later ones, does not hold."""
        self._agree_on(self.agreed_before(first))
        self._tell_of_plan(first, now)

    def recurrence_told(self, recurrence: Recurrence) -> None:
        """Amazon was told; where something else was agreed on meanwhile, it is to be told that."""
        self.recurrence_untold = self.recurrence != recurrence

    def pause_requested(self, pause: Pause, now: datetime, *, why: str = ASKED_FOR) -> None:
        """Nothing that falls due from then on is owed."""
        self.pause = pause
        if pause.since <= now:
            self.pause_begins(now, why=why)

    def pause_until_resumed(self, now: datetime, *, why: str) -> None:
        """Nothing that falls due is owed until somebody resumes it, whatever pause was agreed on before."""
        if self.pause is not None and self.pause.has_begun:
            self.pause = self.pause.model_copy(update={"until": None})
        else:
            self.pause_requested(Pause(since=now), now, why=why)

    def pause_begins(self, now: datetime, *, why: str = ASKED_FOR) -> None:
        """What falls due from now on is not owed."""
        if self.pause is None:
            raise AssertionError("no pause was asked for")
        self.pause = self.pause.model_copy(update={"has_begun": True})
        self.reschedule()
        self._tell(NoticeType.SUBSCRIPTION_PAUSED, now, reason=why, deadline=self.pause.until)

    def resume(self, now: datetime, *, keeps_anchor: bool | None = None) -> None:
        """A pause is over, or will not be: what fell due within it is not owed."""
        pause = self.pause
        if pause is None:
            raise AssertionError("nothing is paused")
        fell_due = range(self.next_period, self.schedule.periods_due(now - datetime.resolution))
        within = [number for number in fell_due if self.is_paused_over(number)]
        self.pause = None
        if not pause.has_begun:
            return
        if pause.keeps_anchor if keeps_anchor is None else keeps_anchor:
            self.skips = sorted({*self.skips, *within})
        else:
            self._count_anew(now)
        self.reschedule()
        self._tell(NoticeType.SUBSCRIPTION_RESUMED, now)

    def _agree_on(self, agreements: list[Agreement]) -> None:
        before, self.agreements = self.recurrence, agreements
        self.recurrence_untold = self.recurrence_untold or self.recurrence != before
        self.reschedule()

    def _tell_of_plan(self, first: int, now: datetime) -> None:
        schedule = self.schedule
        self._tell(
            NoticeType.PLAN_CHANGED,
            now,
            period=first,
            due=schedule.due(first),
            amount=schedule.amount(first),
            reason=str(self.agreement_at(first).plan),
        )

    def _count_anew(self, now: datetime) -> None:
        """The due dates are counted from this moment; none that fell due while it was paused is left."""
        first = self.next_period + (self.collection is not None)
        while self.agreement_at(first).once is not None:
            first += 1
        anew = {"starts_at": now.replace(microsecond=0), "anchor": None, "months": 0, "billing_day": None}
        before = [each for each in self.agreements if each.first < first]
        self.agreements = [*before, self.going_on(first).model_copy(update=anew)]


def _after(item: Agreement, going_on: Agreement) -> Agreement:
    """What goes on after something was charged by itself: one period later, on the same dates."""
    return going_on.model_copy(update={"first": item.first + 1})
