"""What the simulated Amazon knows: permissions, charges, saved answers, scripts."""

from collections import deque
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from amazon_pay.models import Charge, ChargePermission, CreateChargeRequest
from amazon_pay.models.wire import RequestModel
from simulator.refusals import Refusal


class ScriptedAnswer(BaseModel):
    """How one Create Charge call of a permission is answered.

    Attributes:
        code: a simulation code such as `SoftDeclined`; None for a success.
        delay_seconds: how long the answer takes to leave after the charge was decided.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str | None = None
    delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """The first answer under an idempotency key, and the request that it answered."""

    request: RequestModel
    status: int
    body: bytes


class BookedCall(BaseModel):
    """One Create Charge call that reached the books, also one answered from a saved answer."""

    model_config = ConfigDict(frozen=True)

    charge_permission_id: str
    idempotency_key: str
    at: str
    status: int
    reason_code: str | None = None
    charge_id: str | None = None
    replayed: bool = False


@dataclass(slots=True)
class Books:
    """Everything in memory; one per simulator."""

    permissions: dict[str, ChargePermission] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    requests: dict[str, CreateChargeRequest] = field(default_factory=dict)
    """What each charge was asked for with, by its id: an answer does not tell whether to capture."""
    saved_answers: dict[str, SavedAnswer] = field(default_factory=dict)
    scripts: dict[str, deque[ScriptedAnswer]] = field(default_factory=dict)
    calls: list[BookedCall] = field(default_factory=list)

    def permission(self, charge_permission_id: str) -> ChargePermission:
        """Finds a permission.

        Raises:
            Refusal: ResourceNotFound.
        """
        try:
            return self.permissions[charge_permission_id]
        except KeyError:
            raise Refusal("ResourceNotFound", f"No charge permission {charge_permission_id}") from None

    def charge(self, charge_id: str) -> Charge:
        """Finds a charge.

        Raises:
            Refusal: ResourceNotFound.
        """
        try:
            return self.charges[charge_id]
        except KeyError:
            raise Refusal("ResourceNotFound", f"No charge {charge_id}") from None

    def charges_of(self, charge_permission_id: str) -> list[Charge]:
        """A permission's charges, oldest first."""
        return [charge for charge in self.charges.values() if charge.charge_permission_id == charge_permission_id]

    def export(self) -> "ExportedBooks":
        """A copy that can leave the process."""
        return ExportedBooks(
            permissions=list(self.permissions.values()), charges=list(self.charges.values()), calls=list(self.calls)
        )


class ExportedBooks(BaseModel):
    """The books as the control API shows them."""

    permissions: list[ChargePermission]
    charges: list[Charge]
    calls: list[BookedCall]
