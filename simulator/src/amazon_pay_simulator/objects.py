"""Amazon's objects as the simulator keeps them: nothing is missing of them, where a client must be ready for less."""

from amazon_pay_client import models
from amazon_pay_client.models import Price


class Charge(models.Charge):
    """A charge in the books."""

    charge_amount: Price
    charge_permission_id: str


class Refund(models.Refund):
    """A refund in the books."""

    charge_id: str
    refund_amount: Price


class Dispute(models.Dispute):
    """A dispute in the books."""

    charge_id: str
