"""What the simulated Amazon knows. It is the witness in every test: what the books say was charged, was charged."""

from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, ClassVar, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from amazon_pay_client.models import ChargePermission, CreateChargeRequest
from amazon_pay_client.models.buyers import Buyer
from amazon_pay_client.models.checkout_sessions import CheckoutSession
from amazon_pay_simulator.agenda import Agenda, Appointment
from amazon_pay_simulator.faults import Fault
from amazon_pay_simulator.objects import Charge, Dispute, Refund
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.report_objects import BookedDocument, BookedReport, BookedSchedule, SettlementMistake
from amazon_pay_simulator.storage import Shelf, StorePart

Item = TypeVar("Item", bound=BaseModel)


class ScriptedAnswer(BaseModel):
    """How one Create Charge call of a permission is answered.

    Attributes:
        code: a simulation code such as `SoftDeclined`, or any reasonCode of an error; None for a success.
        status: the HTTP status of an error with that reasonCode, for codes that nobody knows.
        delay_seconds: how long the answer takes to leave after the charge was decided.
        fault: what goes wrong with the call; before Amazon has done anything, the code does not matter.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    code: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    fault: Fault | None = None

    @model_validator(mode="after")
    def _status_is_of_a_code(self) -> Self:
        if self.status is not None and self.code is None:
            raise ValueError(f"status: {self.status} is accepted only together with a code")
        return self


class Script(BaseModel):
    """The answers that are still to be played for one permission."""

    answers: tuple[ScriptedAnswer, ...]


class SavedAnswer(BaseModel):
    """The first answer under an idempotency key, and the request that it answered.

    Attributes:
        request: operation, path and values, in one form for all ways of writing the same.
    """

    request: str
    status: int
    body: str


class BookedCall(BaseModel):
    """One Create Charge call that reached the books, also one answered from a saved answer."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    charge_permission_id: str
    idempotency_key: str
    at: str
    status: int
    reason_code: str | None = None
    charge_id: str | None = None
    replayed: bool = False


class Approval(BaseModel):
    """What the buyer did with a checkout session: the test card that was chosen."""

    card: str


class Books:
    """Everything of one merchant.

    Args:
        store: where to keep them; in memory when not given.

    Raises:
        sqlite3.Error: what the store holds cannot be read.
    """

    def __init__(self, store: StorePart | None = None) -> None:
        self._store: Final = store
        self.permissions: Final = Shelf("permissions", ChargePermission, self._store)
        self.charges: Final = Shelf("charges", Charge, self._store)
        self.requests: Final = Shelf("requests", CreateChargeRequest, self._store)
        """What each charge was asked for with, by its id: an answer does not tell whether to capture."""
        self.refunds: Final = Shelf("refunds", Refund, self._store)
        self.sessions: Final = Shelf("sessions", CheckoutSession, self._store)
        self.approvals: Final = Shelf("approvals", Approval, self._store)
        self.disputes: Final = Shelf("disputes", Dispute, self._store)
        self.reports: Final = Shelf("reports", BookedReport, self._store)
        self.report_documents: Final = Shelf("report_documents", BookedDocument, self._store)
        self.report_schedules: Final = Shelf("report_schedules", BookedSchedule, self._store)
        self.settlement_mistakes: Final = Shelf("settlement_mistakes", SettlementMistake, self._store)
        """By the id of the transaction."""
        self.buyers: Final = Shelf("buyers", Buyer, self._store)
        """By buyer token."""
        self.agenda: Final = Agenda(Shelf("appointments", Appointment, self._store))
        self.scripts: Final = Shelf("scripts", Script, self._store)
        self.saved_answers: Final = Shelf("saved_answers", SavedAnswer, self._store)
        """By idempotency key: a key is unique in the account, whatever the operation."""
        self.calls: Final = Shelf("calls", BookedCall, self._store)
        """By their number."""
        self._charges_of: Final[dict[str, list[str]]] = defaultdict(list)
        for charge in self.charges.values():
            self._charges_of[charge.charge_permission_id].append(charge.charge_id)

    def permission(self, charge_permission_id: str) -> ChargePermission:
        """Finds a permission.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.permissions, charge_permission_id, "charge permission")

    def charge(self, charge_id: str) -> Charge:
        """Finds a charge.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.charges, charge_id, "charge")

    def refund(self, refund_id: str) -> Refund:
        """Finds a refund.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.refunds, refund_id, "refund")

    def session(self, checkout_session_id: str) -> CheckoutSession:
        """Finds a checkout session.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.sessions, checkout_session_id, "checkout session")

    def dispute(self, dispute_id: str) -> Dispute:
        """Finds a dispute.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.disputes, dispute_id, "dispute")

    def report(self, report_id: str) -> BookedReport:
        """Finds a report.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.reports, report_id, "report")

    def report_document(self, report_document_id: str) -> BookedDocument:
        """Finds a report's content.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.report_documents, report_document_id, "report document")

    def report_schedule(self, report_schedule_id: str) -> BookedSchedule:
        """Finds a schedule of reports.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.report_schedules, report_schedule_id, "report schedule")

    def buyer(self, buyer_token: str) -> Buyer:
        """Finds a buyer by token.

        Raises:
            Refusal: ResourceNotFound.
        """
        return _found(self.buyers, buyer_token, "buyer with the token")

    def add_charge(self, charge: Charge, request: CreateChargeRequest) -> None:
        """Books a new charge."""
        self.charges[charge.charge_id] = charge
        self.requests[charge.charge_id] = request
        self._charges_of[charge.charge_permission_id].append(charge.charge_id)

    def charges_of(self, charge_permission_id: str) -> list[Charge]:
        """A permission's charges, oldest first."""
        return [self.charges[charge_id] for charge_id in self._charges_of.get(charge_permission_id, ())]

    def refunds_of(self, charge_id: str) -> list[Refund]:
        """A charge's refunds, oldest first."""
        return [refund for refund in self.refunds.values() if refund.charge_id == charge_id]

    def book_call(self, call: BookedCall) -> None:
        """Notes a Create Charge call."""
        self.calls[str(len(self.calls))] = call

    def next_answer(self, charge_permission_id: str) -> ScriptedAnswer:
        """Takes the next scripted answer of a permission; after the last, charges succeed."""
        script = self.scripts.get(charge_permission_id)
        if script is None or not script.answers:
            return ScriptedAnswer()
        self.scripts[charge_permission_id] = Script(answers=script.answers[1:])
        return script.answers[0]

    def export(self) -> "ExportedBooks":
        """A copy that can leave the process."""
        return ExportedBooks(
            permissions=list(self.permissions.values()),
            charges=list(self.charges.values()),
            refunds=list(self.refunds.values()),
            sessions=list(self.sessions.values()),
            disputes=list(self.disputes.values()),
            calls=list(self.calls.values()),
        )

    def together(self) -> AbstractContextManager[None]:
        """Keeps the changes made in the context all at once: no charge stays without the answer saved for its key."""
        return self._store.transaction() if self._store is not None else nullcontext()


class ExportedBooks(BaseModel):
    """The books as the control API shows them."""

    permissions: list[ChargePermission]
    charges: list[Charge]
    refunds: list[Refund] = Field(default_factory=list)
    sessions: list[CheckoutSession] = Field(default_factory=list)
    disputes: list[Dispute] = Field(default_factory=list)
    calls: list[BookedCall]


def _found(shelf: Shelf[Item], key: str, what: str) -> Item:
    try:
        return shelf[key]
    except KeyError:
        raise Refusal("ResourceNotFound", f"No {what} {key}") from None
