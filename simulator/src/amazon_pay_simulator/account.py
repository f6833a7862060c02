"""The merchant account of the simulated Amazon: everything that can be done there, over one set of books."""

from datetime import datetime
from typing import Final

from amazon_pay_client.ipn import ObjectType
from amazon_pay_client.models import ChargePermission, CloseChargePermissionRequest
from amazon_pay_client.models.buyers import Buyer
from amazon_pay_simulator.books import Books
from amazon_pay_simulator.context import Context
from amazon_pay_simulator.operations.charge_permissions import ChargePermissions
from amazon_pay_simulator.operations.charges import Charges
from amazon_pay_simulator.operations.checkout_sessions import BUYER, CheckoutSessions
from amazon_pay_simulator.operations.disputes import Disputes
from amazon_pay_simulator.operations.refunds import Refunds
from amazon_pay_simulator.operations.reports import Reports


class Account:
    """The operations by kind of object. Each either changes the books and returns, or refuses and changes nothing.

    (A decline is both: it refuses, and may change the charge permission.)
    """

    def __init__(self, context: Context) -> None:
        self.books: Books = context.books
        self.permissions: Final[ChargePermissions] = ChargePermissions(context)
        self.charges: Final[Charges] = Charges(context, self.permissions)
        self.refunds: Final[Refunds] = Refunds(context)
        self.sessions: Final[CheckoutSessions] = CheckoutSessions(context, self.permissions, self.charges)
        self.disputes: Final[Disputes] = Disputes(context)
        self.reports: Final[Reports] = Reports(context)

    def sign_in(self) -> str:
        """A buyer signs in with Amazon; the merchant gets a token for Get Buyer."""
        token = f"Atza|simulated-{len(self.books.buyers) + 1:06}"
        self.books.buyers[token] = Buyer.model_validate(
            BUYER.model_dump() | {"postal_code": "98109", "country_code": "US"}
        )
        return token

    def close_permission(
        self,
        charge_permission_id: str,
        request: CloseChargePermissionRequest,
        now: datetime,
        simulate: str | None = None,
    ) -> ChargePermission:
        """Closes a permission for the merchant; with `simulate`, for another reason.

        Raises:
            Refusal: ResourceNotFound, or InvalidChargePermissionStatus when it is closed already.
        """
        self.permissions.check_not_closed(charge_permission_id, now)
        if request.cancel_pending_charges:
            self.charges.cancel_with_permission(charge_permission_id, now)
        description = None if simulate else request.closure_reason
        self.permissions.close(charge_permission_id, simulate or "MerchantClosed", now, description)
        return self.permissions.read(charge_permission_id, now)

    def pass_time(self, now: datetime, charge_permission_id: str | None = None) -> None:
        """What was to happen by itself until now happens.

        Args:
            now: until when.
            charge_permission_id: only to this permission's objects: subscriptions in virtual time each have a time of
                their own. None for all, by the simulator's clock.
        """
        while due := self.books.agenda.due(now, charge_permission_id):
            object_id, appointment = due
            if appointment.object_type is ObjectType.REFUND:
                self.refunds.keep(object_id, appointment)
            else:
                self.charges.keep(object_id, appointment)
        if charge_permission_id is not None:
            self.permissions.current(charge_permission_id, now)
            return
        self.permissions.expire_all(now)
        self.sessions.expire_all(now)

    def environment_of(self, identifier: str) -> str | None:
        """The release environment of an object, None where there is none of that id."""
        books = self.books
        for shelf in (books.permissions, books.charges, books.refunds, books.sessions, books.disputes):
            if identifier in shelf:
                return shelf[identifier].release_environment
        for of_reports in (books.reports, books.report_documents, books.report_schedules):
            if identifier in of_reports:
                return of_reports[identifier].release_environment
        return None
