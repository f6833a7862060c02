"""Charge permissions: `client.charge_permissions`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amazon_pay.models import ChargePermission, CloseChargePermissionRequest
from amazon_pay.transport import segment

if TYPE_CHECKING:
    from amazon_pay.transport import Transport


class ChargePermissions:
    """Operations on charge permissions. Source: Amazon Pay API v2, "charge permission"."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    async def get(self, charge_permission_id: str, *, headers: Mapping[str, str] | None = None) -> ChargePermission:
        """Reads one charge permission (GET /chargePermissions/{chargePermissionId}).

        Raises:
            NotFoundError: no such permission in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        answer = await self._transport.send(
            "GET", f"chargePermissions/{segment(charge_permission_id)}", headers=headers
        )
        return self._transport.read(answer, ChargePermission)

    async def close(
        self,
        charge_permission_id: str,
        request: CloseChargePermissionRequest,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> ChargePermission:
        """Closes a charge permission for good (DELETE /chargePermissions/{chargePermissionId}/close).

        Raises:
            InvalidStateError: it is closed already, among others.
            NotFoundError: no such permission in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; closing again is safe.
        """
        answer = await self._transport.send(
            "DELETE",
            f"chargePermissions/{segment(charge_permission_id)}/close",
            body=request,
            headers=headers,
        )
        return self._transport.read(answer, ChargePermission)
