"""The table of docs/states.md: what is shown and told where something needs somebody, made from a run of the rules.

    python -m tests.starter.states     # brings the page up to date

Each row leads a subscription of its own through the rules, as a workflow does, with answers such as Amazon's. What is
shown of it is what the query, the search attributes and the command line make of it; a real server would show the same,
and take minutes for it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.converter import encode_search_attributes

from perennial_billing.billing.agenda import next_command
from perennial_billing.billing.calendar import Interval, Unit
from perennial_billing.billing.changes import (
    AddItem,
    Cancel,
    Capture,
    ChangePlan,
    PauseSubscription,
    RefundPeriod,
    ReplacePermission,
    Resolve,
)
from perennial_billing.billing.dunning.reasons import CHARGE_REASONS, PERMISSION_REASONS, Meaning
from perennial_billing.billing.machine import apply, ask
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Amounts, Plan
from perennial_billing.billing.plan import Capture as WhenCaptured
from perennial_billing.billing.plan.policy import CatchUp, CollectionPolicy, FinalAction, OnDispute
from perennial_billing.billing.protocol.answers import (
    ChargeAnswer,
    ChargeOutcome,
    DisputeAnswer,
    RefundAnswer,
    RefundState,
    SuccessorAnswer,
)
from perennial_billing.billing.protocol.commands import AskAmount, Command, Elapse, Timer
from perennial_billing.billing.protocol.events import (
    Answer,
    Answered,
    CancelAsked,
    Elapsed,
    Event,
    Refresh,
    Started,
    Thing,
    Unanswered,
)
from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.requests import Request
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import SubscriptionView, view_of
from perennial_billing.starter.cli.listing import sheet_of
from perennial_billing.starter.listing import _listed
from perennial_billing.workflows.display import details, initial_search_attributes
from perennial_billing.workflows.names import workflow_id
from tests.billing.support import PENDING, PRICE, at, chargeable, closed, declined, non_chargeable, terms, unreadable

PAGE: Final = Path(__file__).parents[2] / "docs" / "states.md"

DUE: Final = "2027-03-01 09:00"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_CODE: Final = "*code*"
_BEGINS: Final = "<!-- states: made by `python -m tests.starter.states` -->\n"

CHARGE: Final = "S01-1234567-1234567-C000001"
PAID: Final = ChargeAnswer(outcome=ChargeOutcome.CAPTURED, charge_id=CHARGE)
AUTHORIZED: Final = ChargeAnswer(outcome=ChargeOutcome.AUTHORIZED, charge_id=CHARGE)
FIXABLE: Final = non_chargeable("PaymentMethodInvalid")
NEW: Final = "ANewCode"
"""One that Amazon has added since: codes are an open set."""

Answers = Sequence[Answer | None]
"""One after the other; None where no answer comes in good time."""


class Row(NamedTuple):
    """What happened, and what is shown and told then."""

    what: str
    status: str
    attention: str
    reason: str
    next: str
    listed: str
    also: str
    told: str


@dataclass
class Run:
    """One subscription, led by its rules."""

    subscription: Subscription
    now: datetime

    def answered(self, *answers: Answer | None) -> "Run":
        """What stands is done, one after the other, until all of these were given, and whatever follows of itself."""
        waiting = deque(answers)
        while (command := next_command(self.subscription)) is not None and (waiting or _follows(command)):
            self.now = max(self.now, command.at)
            if isinstance(command, Elapse):
                self.happens(Elapsed(command.timer))
                continue
            answer = waiting.popleft()
            why = "HTTP 503" if not isinstance(command, AskAmount) else "your endpoint answered HTTP 503"
            self.happens(Unanswered(command, why) if answer is None else Answered(command, answer))
        assert not waiting, f"nobody asks for {waiting}"
        return self

    def until(self, later: timedelta, answer: Callable[[Command], Answer]) -> "Run":
        """Time passes, and whatever is asked is answered so."""
        end = self.now + later
        while (command := next_command(self.subscription)) is not None and command.at <= end:
            self.now = max(self.now, command.at)
            if isinstance(command, Elapse):
                self.happens(Elapsed(command.timer))
            else:
                self.happens(Answered(command, answer(command)))
        self.now = end
        return self

    def happens(self, event: Event) -> "Run":
        """Something happened."""
        self.subscription = apply(self.subscription, event, self.now)
        return self

    def asked(self, request: Request) -> "Run":
        """The merchant asks for something, an hour later."""
        self.now += HOUR
        self.subscription = ask(self.subscription, request, self.now)
        return self


def _follows(command: Command) -> bool:
    return isinstance(command, Elapse) and command.at_once


def begun(plan: dict[str, Any] | None = None, **policy: Any) -> Run:  # Any: fields of a plan and of a policy
    """9.99 EUR a month from 1 March on."""
    agreed = terms(DUE, policy=CollectionPolicy(**policy))
    agreed = agreed.but(plan=agreed.plan.but(**(plan or {})))
    return Run(apply(Subscription.begin(agreed), Started(), agreed.anchor - DAY), agreed.anchor - DAY)


def paid(plan: dict[str, Any] | None = None, **policy: Any) -> Run:  # Any: as above
    """The first month is paid."""
    return begun(plan, **policy).answered(PAID)


# What may happen, and what is shown then


@cache
def rows() -> tuple[tuple[str, list[Row]], ...]:
    """The tables: what each is about, and its rows."""
    return (
        ("A charge is declined, or refused", list(_charges())),
        ("The charge permission cannot be charged", list(_permissions())),
        ("A charge is not what it seems, or nothing is known of it", [_row(what, run) for what, run in _unclear()]),
        ("Nothing is charged, as somebody decided so or has to", [_row(what, run) for what, run in _waiting()]),
        ("Beside what is owed", [_row(what, run) for what, run in _beside()]),
        ("It ends, or has ended", [_row(what, run) for what, run in _ends()]),
    )


def _charges() -> Iterator[Row]:
    """Every reason code of a charge; those of which the same follows together."""
    of: dict[Row, list[str]] = {}
    for code in (*CHARGE_REASONS, NEW):
        for is_refused in (False, True) if code == NEW else (_is_refused(code),):
            outcome = ChargeOutcome.REFUSED if is_refused else ChargeOutcome.DECLINED
            charge = None if is_refused or code != "MerchantCanceled" else CHARGE
            said = "what Amazon says of it" if CHARGE_REASONS.get(code, Meaning.OPERATOR) is Meaning.OPERATOR else None
            answer = ChargeAnswer(outcome=outcome, reason_code=code, charge_id=charge, message=said)
            run = begun().answered(answer, *_read_after(code))
            row = _row("refused" if is_refused else "declined", run, code)
            of.setdefault(row, []).append(code)
    yield from (row._replace(what=f"{_each(codes)}: the charge is {row.what}") for row, codes in of.items())


def _is_refused(code: str) -> bool:
    """Whether Amazon does not take the request, so that there is no charge; the others are declines."""
    return CHARGE_REASONS[code] is Meaning.OPERATOR and code != "MerchantCanceled"


def _read_after(code: str) -> Answers:
    """What the charge permission then says, where it is asked."""
    match CHARGE_REASONS.get(code):
        case Meaning.SOFT | Meaning.PROCESSING:
            return [chargeable()]
        case Meaning.PAYMENT_METHOD:
            return [FIXABLE]
        case Meaning.ASK_PERMISSION:
            return [non_chargeable("ChargeInProgress")]
        case Meaning.MONTHLY_LIMIT:
            return [chargeable().but(monthly_limit=Money.parse("30.00 EUR"), monthly_balance=Money.parse("4.00 EUR"))]
        case _:
            return []


def _permissions() -> Iterator[Row]:
    """Every reason code of a charge permission: seen while nothing is owed, and after a declined charge."""
    of: dict[Row, list[str]] = {}
    for code in (*PERMISSION_REASONS, NEW):
        for owed in (False, True):
            run = begun().answered(declined("SoftDeclined")) if owed else _signalled(paid())
            when = "after a charge was declined (SoftDeclined)" if owed else "between two charges"
            of.setdefault(_row(when, run.answered(non_chargeable(code)), code), []).append(code)
    for when, run in (
        ("between two charges", _signalled(paid()).answered(unreadable())),
        ("after a charge was declined (SoftDeclined)", begun().answered(declined("SoftDeclined"), unreadable())),
    ):
        of.setdefault(_row(f"{when}: Amazon does not show it", run, "UnauthorizedAccess"), []).append(
            "UnauthorizedAccess"
        )
    yield from (row._replace(what=f"{_each(codes)}, {row.what}") for row, codes in of.items())
    for code in ("BuyerClosed", "AmazonClosed", "Expired"):
        yield _row(f"`{code}`: it is closed, between two charges", _signalled(paid()).answered(closed(code)))
    yield _row(
        "`BuyerClosed`: it is closed, after a charge was declined",
        begun().answered(declined("SoftDeclined"), closed("BuyerClosed")),
    )
    unpaid = begun().until(40 * DAY, _never_mended)
    yield _row("the buyer has not mended it within the policy's time (`final_action = pause`)", unpaid)
    expiring = begun({"phases": _free_year()}).answered().until(380 * DAY, lambda _: chargeable())
    yield _row("it expires soon, as nothing was charged for a year", expiring)


def _signalled(run: Run) -> Run:
    run.now += DAY
    return run.happens(Refresh(Thing.PERMISSION))


def _never_mended(command: Command) -> Answer:
    return FIXABLE if command.action.value == "read charge permission" else declined("HardDeclined")


def _free_year() -> tuple[Any, ...]:  # Any: phases
    year = Interval(unit=Unit.YEAR)
    return (
        Plan.of("p", PRICE, year).regular.but(amount=Money.zero("EUR"), periods=2),
        Plan.of("p", PRICE, year).regular,
    )


def _unclear() -> Iterator[tuple[str, Run]]:
    yield "Amazon has not decided on the charge", begun().answered(PENDING)
    yield (
        "Amazon does not show the charge that it is deciding on",
        begun().answered(PENDING, ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code="UnauthorizedAccess")),
    )
    yield "Amazon has not answered the charge for an hour", begun().answered(None)
    yield (
        "a charge that was declined when Amazon had decided cannot be read before the next attempt",
        begun().answered(
            PENDING,
            declined("SoftDeclined"),
            chargeable(),
            ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code="UnauthorizedAccess"),
        ),
    )
    before = PAID.but(created_at=at(DUE) - 40 * DAY)
    yield "the charge that Amazon answers with is older than the period", begun().answered(before)
    other = PAID.but(created_at=at(DUE), amount=Money.parse("4.00 EUR"))
    named = begun().answered(ChargeAnswer(outcome=ChargeOutcome.REFUSED, reason_code="DuplicateIdempotencyKey"))
    yield (
        "`perennial resolve --charge` named a charge that cannot have paid the period",
        named.asked(Resolve(charge_id=CHARGE)).answered(other),
    )


def _waiting() -> Iterator[tuple[str, Run]]:
    limit = chargeable().but(monthly_limit=Money.parse("5.00 EUR"))
    yield (
        "the amount is above what the charge permission allows in any month",
        begun().answered(declined("PeriodicAmountExceeded"), limit),
    )
    missed = begun(catch_up=CatchUp.HOLD)
    missed.now += 70 * DAY
    yield "several periods were missed in an outage (`catch_up = hold`)", missed.happens(Elapsed(Timer.PERIOD))
    yield "your endpoint does not say what the period costs", begun({"amounts": Amounts.ASKED}).answered(None)
    yield "it is paused by request", paid().asked(PauseSubscription())
    owing = begun().answered(declined("SoftDeclined"), chargeable())
    yield "it is paused by request, and what is owed waits too", owing.asked(PauseSubscription(stops_collecting=True))
    yield "it is to be canceled at the end of the paid period", paid().asked(Cancel())
    yield (
        "another plan was agreed on, and Amazon cannot be told",
        paid()
        .asked(ChangePlan(plan=Plan.of("gold", Money.parse("20.00 EUR"), Interval(unit=Unit.MONTH))))
        .answered(None, None),
    )


def _beside() -> Iterator[tuple[str, Run]]:
    opened = DisputeAnswer(
        charge_id=CHARGE, state="ActionRequired", amount=PRICE, reason_code="Unrecognized", deadline=at(DUE) + 12 * DAY
    )
    for acts in OnDispute:
        yield f"a charge is disputed (`on_dispute = {acts.value}`)", _disputed(paid(on_dispute=acts)).answered(opened)
    yield (
        "a charge is disputed while a period is owed (`on_dispute = stop`)",
        _disputed(paid(on_dispute=OnDispute.STOP).answered(declined("SoftDeclined"), chargeable())).answered(opened),
    )
    hidden = DisputeAnswer(refused="UnauthorizedAccess")
    yield "Amazon does not show a dispute", _disputed(paid()).answered(hidden)
    yield (
        "Amazon has not shown a dispute for a month, and it is read no more",
        _disputed(begun({"phases": _free_year()}).answered()).answered(*[hidden] * 13),
    )
    refunded = RefundPeriod(period=0)
    yield (
        "Amazon has not decided on a refund",
        paid().asked(refunded).answered(RefundAnswer(state=RefundState.PENDING, refund_id="S01-R1")),
    )
    yield "Amazon has not answered a refund for an hour", paid().asked(refunded).answered(None)
    yield (
        "a refund failed",
        paid()
        .asked(refunded)
        .answered(RefundAnswer(state=RefundState.FAILED, refund_id="S01-R1", reason_code="AmazonRejected")),
    )
    yield (
        "the refund that Amazon answers with is older than the request",
        paid()
        .asked(refunded)
        .answered(RefundAnswer(state=RefundState.PENDING, refund_id="S01-R1", created_at=at(DUE) - 40 * DAY)),
    )
    later = {"capture": WhenCaptured.LATER}
    yield "a charge is authorized, and yours to capture", begun(later).answered(AUTHORIZED)
    yield (
        "a capture was declined, and the charge is authorized still",
        begun(later).answered(AUTHORIZED).asked(Capture(period=0)).answered(declined("ProcessingFailure"), AUTHORIZED),
    )
    yield (
        "an authorized charge was not captured in time",
        begun(later).answered(AUTHORIZED, declined("ExpiredUnused").but(charge_id=CHARGE)),
    )
    grace = begun(payment_method_deadline=30 * DAY).answered(declined("HardDeclined"), FIXABLE)
    yield "the grace is over, and the period is owed still", grace.until(8 * DAY, lambda _: FIXABLE)


def _disputed(run: Run) -> Run:
    run.now += HOUR
    return run.happens(Refresh(Thing.DISPUTE, "D01-1"))


def _ends() -> Iterator[tuple[str, Run]]:
    yield "it was canceled", paid().happens(CancelAsked("moved away")).answered(closed("MerchantClosed"))
    yield (
        "it was canceled, and Amazon does not close the charge permission",
        paid().happens(CancelAsked("moved away")).answered(unreadable()),
    )
    yield (
        "it was canceled while Amazon decides on a charge",
        begun().answered(PENDING).happens(CancelAsked("moved away")),
    )
    left = paid().asked(AddItem(amount=Money.parse("5.00 EUR"), what="sorry", credit=True))
    yield (
        "it was canceled, with credit left",
        left.happens(CancelAsked("moved away")).answered(closed("MerchantClosed")),
    )
    yield (
        "no new checkout within the policy's time",
        _signalled(paid()).answered(closed("BuyerClosed")).until(30 * DAY, lambda _: closed("BuyerClosed")),
    )
    for final in (FinalAction.CANCEL, FinalAction.MARK_UNPAID):
        yield (
            f"a period was not paid within the policy's time (`final_action = {final.value}`)",
            begun(final_action=final).until(25 * DAY, _never_mended_and_closed),
        )
    yield (
        "its last period is over",
        begun({"phases": (Plan.of("p", PRICE, Interval(unit=Unit.MONTH), 1).regular,)})
        .answered(PAID)
        .until(40 * DAY, lambda _: closed("MerchantClosed")),
    )
    replaced = ReplacePermission(charge_permission_id="C01-7654321-1234567")
    yield (
        "another charge permission was named, and Amazon does not show it",
        paid().asked(replaced).answered(unreadable("ResourceNotFound")),
    )
    yield (
        "another charge permission was named that has a subscription already",
        paid().asked(replaced).answered(chargeable(), SuccessorAnswer(started=False)),
    )
    yield (
        "it goes on under another charge permission",
        paid().asked(replaced).answered(chargeable(), SuccessorAnswer(started=True), closed("MerchantClosed")),
    )


def _never_mended_and_closed(command: Command) -> Answer:
    return closed("MerchantClosed") if command.action.value == "close charge permission" else _never_mended(command)


# How that is shown


def _row(what: str, run: Run, code: str | None = None) -> Row:
    """What is shown and told of a subscription; a code that others share its row with is left open."""
    view = view_of(run.subscription)
    following = view.next
    row = Row(
        what=what,
        status=f"`{view.status.value}`{', past due' if view.past_due else ''}",
        attention="yes" if view.needs_attention else "",
        reason=f"`{view.last_reason}`" if view.last_reason else "",
        next=f"{_instant(following.at)}: {following.action.value}: {following.why}" if following else "nothing",
        listed=_listed_line(run.subscription, view),
        also=_joined(_also(view)),
        told=_joined(_in_words(notice) for notice in run.subscription.outbox.notices if _is_told_here(notice)),
    )
    return row if code is None else Row(row.what, *(cell.replace(code, _CODE) for cell in row[1:]))


def _is_told_here(notice: Notice) -> bool:
    return notice.type.value not in {"subscription.started", "period.paid", "period.free"}


def _listed_line(subscription: Subscription, view: SubscriptionView) -> str:
    """The status, the next action and the reason, as `perennial list --ended` prints them."""
    ended = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
    running = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
    info = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=workflow_id(view.charge_permission_id)),
        status=ended if view.has_ended else running,
    )
    encode_search_attributes(initial_search_attributes(subscription), info.search_attributes)
    page = Console(file=StringIO(), width=300)
    with page.capture() as printed:
        page.print(sheet_of([_listed(info)]))
    (line,) = (line for line in printed.get().splitlines() if view.charge_permission_id in line)
    _, _, status, following, reason, *_ = (cell.strip() for cell in line.split("│"))
    return f"`{status}`, {following}, {reason}"


_LEFT_OUT: Final = (
    *("Plan", "Anchor", "Charge permission", "Merchant account", "Merchant reference", "Paid periods"),
    *("Expires unless charged", "Last reason", "---", "##", "**Next:**", "**Owed:**", "("),
)
"""Lines that every subscription has, or that stand in another column."""
_HEADINGS: Final = ("Not answered", "To be captured", "Refund", "Dispute")


def _also(view: SubscriptionView) -> Iterator[str]:
    """What `perennial show` says beside the status, the reason and the next step, without headings."""
    table, *_ = details(view).split("\n| \u00a0Period\u00a0")  # the account of all periods is the last one
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        shown = ", ".join(cell for cell in cells if cell not in {"", "-"})
        if shown and not shown.startswith((*_LEFT_OUT, *_HEADINGS)):
            yield shown


def _in_words(notice: Notice) -> str:
    """A notice's type, and what says why and until when."""
    said = {
        "reason_code": notice.reason_code,
        "status": notice.status,
        "deadline": _instant(notice.deadline) if notice.deadline else None,
        "reason": notice.reason,
        "credit": notice.credit,
        "successor": notice.successor,
    }
    fields = "; ".join(f"{name}: {value}" for name, value in said.items() if value is not None)
    return f"`{notice.type.value}`" + (f" ({fields})" if fields else "")


def _joined(texts: Iterator[str]) -> str:
    return "<br/>".join(dict.fromkeys(texts))


def _each(codes: Sequence[str]) -> str:
    return ", ".join(f"`{code}`" if code != NEW else "one that is new" for code in codes)


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


HEADING: Final = ("What happened", "Status", "Attention", "Last reason", "Next", "In the list", "Shown too", "Told")


def tables() -> str:
    """All of them, in Markdown."""
    parts = []
    for about, found in rows():
        lines = [HEADING, tuple("---" for _ in HEADING), *found]
        parts += [
            f"## {about}",
            "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines),
        ]
    return "\n\n".join(parts)


def with_tables(page: str) -> str:
    """The page with its tables as the rules give them.

    Raises:
        ValueError: it has no place for them.
    """
    return f"{page[: page.index(_BEGINS)]}{_BEGINS}\n{tables()}\n"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
