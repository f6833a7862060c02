"""What the books say of one charge permission; the others belong to other tests."""

from amazon_pay_client.models import ChargePermission
from amazon_pay_simulator import SimulatorHandle
from amazon_pay_simulator.books import BookedCall
from amazon_pay_simulator.objects import Charge


async def charges_of(simulator: SimulatorHandle, charge_permission_id: str) -> list[Charge]:
    return [
        charge for charge in (await simulator.books()).charges if charge.charge_permission_id == charge_permission_id
    ]


async def calls_of(simulator: SimulatorHandle, charge_permission_id: str) -> list[BookedCall]:
    return [call for call in (await simulator.books()).calls if call.charge_permission_id == charge_permission_id]


async def permission_of(simulator: SimulatorHandle, charge_permission_id: str) -> ChargePermission:
    return next(
        permission
        for permission in (await simulator.books()).permissions
        if permission.charge_permission_id == charge_permission_id
    )


async def state_of(simulator: SimulatorHandle, charge_permission_id: str) -> tuple[str, list[str]]:
    """The permission's state and the codes of its reasons."""
    details = (await permission_of(simulator, charge_permission_id)).status_details
    return str(details.state), [reason.reason_code for reason in details.reasons or ()]
