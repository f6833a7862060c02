# Made of `resources/charge_permissions.py` by `python -m tests.client.sync_resources`: change that, and run this.

"""Charge permissions: `client.charge_permissions`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_pay_client.answers import model_of
from amazon_pay_client.calls import Call, request_of
from amazon_pay_client.models import ChargePermission, CloseChargePermissionRequest, UpdateChargePermissionRequest
from amazon_pay_client.paths import resource

if TYPE_CHECKING:
    from amazon_pay_client.transport import SyncTransport


class SyncChargePermissions:
    """Operations on charge permissions. Source: Amazon Pay API v2, "charge permission"."""

    def __init__(self, transport: "SyncTransport") -> None:
        self._transport = transport

    def get(self, charge_permission_id: str, *, headers: Mapping[str, str] | None = None) -> ChargePermission:
        """Reads one charge permission (GET /chargePermissions/{chargePermissionId}).

        Raises:
            NotFoundError: no such permission in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer.
        """
        return self._transport.send(
            Call(
                method="GET",
                to=resource("chargePermissions/{charge_permission_id}", charge_permission_id=charge_permission_id),
                read=model_of(ChargePermission),
                headers=headers,
            )
        )

    def update(
        self,
        charge_permission_id: str,
        request: UpdateChargePermissionRequest | Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> ChargePermission:
        """Changes what the buyer is told about it (PATCH /chargePermissions/{chargePermissionId}).

        Raises:
            InvalidStateError: it is closed.
            NotFoundError: no such permission in this account and environment.
            ApiError: any other error answer.
            TransportError: no answer; sending the same again is safe.
        """
        return self._transport.send(
            Call(
                method="PATCH",
                to=resource("chargePermissions/{charge_permission_id}", charge_permission_id=charge_permission_id),
                read=model_of(ChargePermission),
                body=request_of(UpdateChargePermissionRequest, request),
                headers=headers,
            )
        )

    def close(
        self,
        charge_permission_id: str,
        request: CloseChargePermissionRequest | Mapping[str, Any],
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
        return self._transport.send(
            Call(
                method="DELETE",
                to=resource(
                    "chargePermissions/{charge_permission_id}/close", charge_permission_id=charge_permission_id
                ),
                read=model_of(ChargePermission),
                body=request_of(CloseChargePermissionRequest, request),
                headers=headers,
            )
        )
