"""What goes on about a subscription when it has ended: money that goes back, and disputes that Amazon tells of.

Nobody is there any more to do it, and what was charged is longer in the ledger than in anybody's memory. So it is done
by the same rules on what the ledger recalls, and told with the numbers that follow the subscription's own. Nothing else
follows: what has ended is neither charged, paused nor stopped. Lived by `workflows.ended`; what one ends with is what
the next one begins with, as far as that is still known.
"""

from collections.abc import Iterator
from datetime import datetime

from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.keys import late_refund_key
from perennial_billing.billing.parts.disputes import Disputes
from perennial_billing.billing.parts.disputes import news_of as news_of_dispute
from perennial_billing.billing.parts.ledger import Ledger, PeriodRecord
from perennial_billing.billing.parts.outbox import Outbox
from perennial_billing.billing.parts.refunds import (
    Refund,
    Refunds,
    check_amount,
    news_of,
    news_of_reported,
    paid_record,
)
from perennial_billing.billing.protocol.answers import DisputeAnswer, RefundAnswer, RefundState
from perennial_billing.billing.protocol.commands import Command, CreateRefund, ReadDispute, ReadRefund
from perennial_billing.billing.protocol.events import Answer, Refresh, Thing
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.protocol.recollection import Recalled, RecalledRefund, Recollection
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.billing.register import Entry, Register, digest_of
from perennial_billing.billing.requests import NOBODY, Asker
from perennial_billing.billing.values import Value
from perennial_billing.billing.view import SubscriptionView


class EndedSubscription(Value):
    """One subscription that has ended, or is not known any more.

    Attributes:
        charge_permission_id: the one that it lived under last.
        merchant_reference: the merchant's own, as far as it is known.
        plan_id: the plan's, as far.
        merchant_account: the account that Amazon is asked for.
        successor: the charge permission that it goes on under, where it has not ended but was replaced.
        ledger: the records of the periods that are still known.
        refunds: money that goes back, or went since.
        disputes: such as Amazon has told of since.
        references: what was asked for under a name since.
        outbox: what the merchant is to be told; its numbers follow the subscription's own.
    """

    charge_permission_id: str
    merchant_reference: str = ""
    plan_id: str = ""
    merchant_account: str = "default"
    successor: str | None = None
    ledger: Ledger = Ledger()
    refunds: Refunds = Refunds()
    disputes: Disputes = Disputes()
    references: Register = Register()
    outbox: Outbox = Outbox()

    @classmethod
    def of(cls, ended: SubscriptionView) -> "EndedSubscription":
        """As it stood when it ended, where Temporal still retains that."""
        settled = [refund.refund_id for refund in ended.refunds if refund.refund_id and refund.settled_at]
        return cls(
            charge_permission_id=ended.terms.charge_permission_id,
            merchant_reference=ended.terms.merchant_reference,
            merchant_account=ended.terms.merchant_account,
            plan_id=ended.agreed.plan.plan_id,
            successor=ended.successor,
            ledger=Ledger(next_period=ended.next_period).recalling(ended.ledger),
            refunds=Refunds().counting(*settled),
            outbox=Outbox(told=ended.notices_told),
        )

    # What is known

    def recalling(self, recalled: Recalled) -> "EndedSubscription":
        """With what the ledger knows; what happened since, and is not in it yet, stays."""
        return self.but(
            merchant_reference=self.merchant_reference or recalled.merchant_reference,
            merchant_account=recalled.merchant_account if recalled.is_known else self.merchant_account,
            plan_id=self.plan_id or recalled.plan_id,
            successor=self.successor or recalled.successor,
            ledger=self.ledger.recalling(map(PeriodRecord.recalled, recalled.charges)),
            refunds=self.refunds.counting(*recalled.refund_ids),
            outbox=self.outbox.but(told=max(self.outbox.told, recalled.told)),
        )

    def numbered_on(self, recalled: Recalled) -> "EndedSubscription":
        """What is to be told has numbers that the ledger knows for something else, as after a restore of Temporal's
        database: what it does not know yet is told under the numbers that follow."""
        news = [
            each for each in self.outbox.notices if each.refund_id is None or each.refund_id not in recalled.refund_ids
        ]
        told = max(self.outbox.told - len(self.outbox.notices), recalled.told)
        numbered = tuple(each.but(number=number) for number, each in enumerate(news, told + 1))
        return self.but(outbox=self.outbox.but(notices=numbered, told=told + len(numbered)))

    @property
    def is_known(self) -> bool:
        """Whether anything was ever told of it; if not, it may be an order of the same shop."""
        return self.outbox.told > 0

    def without_others_orders(self) -> "EndedSubscription":
        """Without refunds of what was no subscription; a dispute is told all the same, as the time to contest runs."""
        return self if self.is_known or not self.refunds.reported else self.but(refunds=Refunds())

    def looks_up(self, request: RefundPeriod) -> Recollection:
        """What the ledger is to be asked for before a refund: always, as it alone has seen all that went back."""
        permission = self.charge_permission_id
        return Recollection(charge_permission_id=permission, period=request.period, charge_id=request.charge_id)

    # What it does

    @property
    def next_command(self) -> Command | None:
        """What is done next; None where nothing is left to do before somebody asks or tells."""
        commands = list(self._commands())
        pressing = next((command for command in commands if command.at_once), None)
        return pressing or min(commands, key=lambda command: command.at, default=None)

    def _commands(self) -> Iterator[Command]:
        yield from self.refunds.commands
        yield from (command for each in self.disputes.latest if (command := each.next_command) is not None)

    def reported(self, refresh: Refresh, now: datetime) -> "EndedSubscription":
        """Amazon tells of something: a refund or a dispute is read at once, and nothing else matters any more."""
        match refresh.thing:
            case Thing.REFUND if refresh.id:
                return self.but(refunds=self.refunds.reports(refresh.id, now))
            case Thing.DISPUTE if refresh.id:
                return self.but(disputes=self.disputes.reported(refresh.id, now))
            case _:
                return self

    def asked(
        self, request: RefundPeriod, recalled: Recalled, now: datetime, request_id: str, asker: Asker = NOBODY
    ) -> "EndedSubscription":
        """Money is to go back; asked again under a known name, it changes nothing.

        Args:
            request: what is wanted.
            recalled: what the ledger knows of the charge.
            now: when it is asked for (UTC).
            request_id: the name that it goes by, beside the merchant's own.
            asker: who asks, and why; told with it.

        Raises:
            Refused: it cannot be, or one of the names is that of another wish; says why.
        """
        names, wish = (request_id, *request.references), digest_of(request)
        if self.successor is not None:
            why = f"it goes on under charge permission {self.successor}, which has the account: ask there"
            raise Refused("charge_permission_id", self.charge_permission_id, why, Kind.CONFLICT)
        known = self.references.known(names, wish)
        if known is not None:
            return self.but(references=self.references.known_by(known, names))
        again = next((each for each in recalled.refunds if each.reference in names), None)
        refund = self._once_more(again, request) if again else self._new(request, names[-1], now)
        entry = Entry(references=names, wish=wish, kind=request.kind, result=refund.number)
        asked = self.but(refunds=self.refunds.requested(refund), references=self.references.noting(entry))
        if again is not None:
            return asked
        kind = NoticeType.SUBSCRIPTION_CHANGED
        outbox = self.outbox.telling(kind, now, request=request.kind, actor=asker.actor, because=asker.because)
        return asked.but(outbox=outbox)

    def _new(self, request: RefundPeriod, reference: str, now: datetime) -> Refund:
        record = paid_record(self.ledger, request.period, request.charge_id)
        amount = check_amount(record, self.refunds.latest, request.amount, goodwill=request.goodwill)
        key = late_refund_key(record.charge_id or "", reference)
        return Refund.of(record, amount, self.refunds.asked + 1, key, now, reference)

    def _once_more(self, refund: RecalledRefund, request: RefundPeriod) -> Refund:
        """One that was asked for under the same name long ago: it stands as it is."""
        record = paid_record(self.ledger, request.period, request.charge_id)
        another = request.amount is not None and request.amount != refund.amount
        if another or refund.charge_id != record.charge_id:
            why = f"it is that of a refund of {refund.amount} of charge {refund.charge_id}; each wish has its own"
            raise Refused("reference", repr(refund.reference), why, Kind.CONFLICT)
        key = late_refund_key(refund.charge_id, refund.reference or "")
        at = refund.settled_at
        known = Refund.of(record, refund.amount, self.refunds.asked + 1, key, at, refund.reference)
        settled = known.but(refund_id=refund.refund_id, reason_code=refund.reason_code, settled_at=at, look_at=None)
        return settled.but(state=refund.state)

    # What came of it

    def answered(self, command: Command, answer: Answer, now: datetime) -> "EndedSubscription":
        """As it stands after an answer; what is news is told."""
        match command, answer:
            case ((CreateRefund() | ReadRefund()), RefundAnswer()) if command.number is not None:
                return self._refund_answered(command.number, answer, now)
            case ReadRefund(), RefundAnswer():
                return self._reported_read(command.refund_id, answer, now)
            case ReadDispute(), DisputeAnswer():
                return self._dispute_read(command.dispute_id, answer, now)
        raise AssertionError(f"{type(answer).__name__} is no answer to {type(command).__name__}")

    def not_answered(self, command: Command, refused: str, now: datetime) -> "EndedSubscription":
        """Amazon did not answer in good time: each asks again in its own time, a refund under the same key."""
        match command:
            case CreateRefund():
                return self.but(refunds=self.refunds.not_answered(command.number, now))
            case ReadRefund():
                return self.answered(command, RefundAnswer(state=RefundState.PENDING, reason_code=refused), now)
            case _:
                return self.answered(command, DisputeAnswer(refused=refused), now)

    def _refund_answered(self, number: int, answer: RefundAnswer, now: datetime) -> "EndedSubscription":
        before = self.refunds.numbered(number)
        if before is None:
            return self
        refund = before.answered(answer, now)
        known = self.but(refunds=self.refunds.with_(refund))
        if refund.is_open:
            return known
        kind, about = news_of(refund)
        record = known.ledger.record(refund.period)
        if record is not None and refund.state is RefundState.REFUNDED:
            known = known.but(ledger=known.ledger.amended(record.with_refund(refund.amount)))
        return known.but(outbox=known.outbox.telling(kind, now, **about))

    def _reported_read(self, refund_id: str, answer: RefundAnswer, now: datetime) -> "EndedSubscription":
        known = self.but(refunds=self.refunds.read(refund_id, answer, now))
        if answer.state is RefundState.PENDING:
            return known
        record = known.ledger.of_charge(answer.charge_id)
        kind, about = news_of_reported(refund_id, answer, record)
        if record is not None and answer.amount is not None and answer.state is RefundState.REFUNDED:
            known = known.but(ledger=known.ledger.amended(record.with_refund(answer.amount)))
        return known.but(outbox=known.outbox.telling(kind, now, **about))

    def _dispute_read(self, dispute_id: str, answer: DisputeAnswer, now: datetime) -> "EndedSubscription":
        before = self.disputes.find(dispute_id)
        if before is None:
            return self
        record = self.ledger.of_charge(answer.charge_id)
        after = before.answered(answer, record.period if record else before.period, now)
        news, known = (
            news_of_dispute(before, after, answer),
            self.but(disputes=self.disputes.with_(after.but(is_told=True))),
        )
        if news is None:
            return known
        kind, about = news
        return known.but(outbox=self.outbox.telling(kind, now, **about))
