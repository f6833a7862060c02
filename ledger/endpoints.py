"""Where the merchant is told: endpoints, their filters, their secrets, and why one is disabled.

Secrets stand in a table of their own, which no export and no list reads: in this module alone they are written and
read, so what seals them has one place to do so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from perennial_billing.ledger.database import reading, writing
from perennial_billing.ledger.deliveries import DeliveryState
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import OF_THE_ENVIRONMENT, deliveries, endpoint_secrets, endpoints

LONGEST_FAILURE: Final = timedelta(days=5)
"""An endpoint that took nothing for so long is disabled when it lets another notice's whole schedule pass. No blip does
that, and no endpoint that is seldom told anything is disabled for what it missed once."""

_ANY_OF: Final = ".*"
_LONGEST_TROUBLE: Final = 256


class DisabledFor(StrEnum):
    """Why an endpoint is not sent anything."""

    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It took nothing for `LONGEST_FAILURE`."""
    ASKED = "asked"
    """Somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What notices to an endpoint are signed with.

    Attributes:
        id: by which it is retired.
        created_at: since when it signs (UTC).
        value: `whsec_` and base64.
    """

    id: int
    created_at: datetime
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the merchant is told.

    Attributes:
        id: ours; `environment` for that of the environment variables.
        url: where it listens.
        types: of notices, or their beginnings such as `period.*`; all of them where it is empty.
        created_at: since when it is known (UTC).
        disabled_at: since when it is not sent anything (UTC).
        disabled_for: why.
        failing_since: since when it has taken nothing of what it was sent (UTC).
        trouble: with what it failed last, in a few words.
        secrets: all that sign, the newest first; none for that of the environment variables.
        accounts: the merchant accounts whose subscriptions it is told of; all of them where it is empty.
    """

    id: str
    url: str
    types: Sequence[str]
    created_at: datetime
    disabled_at: datetime | None = None
    disabled_for: DisabledFor | None = None
    failing_since: datetime | None = None
    trouble: str | None = None
    secrets: Sequence[Secret] = ()
    accounts: Sequence[str] = ()

    @property
    def is_enabled(self) -> bool:
        """Whether it is sent what comes."""
        return self.disabled_at is None

    def wants(self, notice_type: str, account: str) -> bool:
        """Whether it is told of notices of a type, of a merchant account's subscriptions."""
        if self.accounts and account not in self.accounts:
            return False
        return not self.types or any(_fits(each, notice_type) for each in self.types)


def _fits(wanted: str, notice_type: str) -> bool:
    if wanted.endswith(_ANY_OF):
        return notice_type.startswith(wanted.removesuffix("*"))
    return wanted == notice_type


async def all_endpoints(ledger: Ledger) -> list[Endpoint]:
    """Every one, the oldest first.

    Raises:
        LedgerError: the database cannot be used now, or is of another release.
    """
    await ledger.check_version()
    async with reading(ledger.engine) as connection:
        rows = (await connection.execute(select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id))).mappings()
        found = [dict(row) for row in rows]
        newest_first = select(endpoint_secrets).order_by(endpoint_secrets.c.id.desc())
        secrets = (await connection.execute(newest_first)).mappings().all()
    return [
        Endpoint(
            **row
            | {
                "disabled_for": DisabledFor(row["disabled_for"]) if row["disabled_for"] else None,
                "accounts": tuple(row["accounts"].split()),
                "secrets": tuple(
                    Secret(each["id"], each["created_at"], each["secret"])
                    for each in secrets
                    if each["endpoint"] == row["id"]
                ),
            }
        )
        for row in found
    ]


async def add_endpoint(
    ledger: Ledger, endpoint_id: str, url: str, types: Sequence[str], secret: str, accounts: Sequence[str] = ()
) -> None:
    """Makes one known, with its first secret.

    Raises:
        LedgerError: it is not known.
    """
    await ledger.check_version()
    now = ledger.now()
    made = {"id": endpoint_id, "url": url, "types": list(types), "created_at": now, "accounts": " ".join(accounts)}
    async with writing(ledger.engine) as connection:
        await connection.execute(endpoints.insert().values(made))
        await connection.execute(endpoint_secrets.insert().values(endpoint=endpoint_id, secret=secret, created_at=now))


async def know_the_environments(ledger: Ledger, url: str) -> None:
    """Keeps a row for the endpoint of the environment variables; at another URL it begins anew.

    Raises:
        LedgerError: it is not kept.
    """
    anew = {"url": url, "disabled_at": None, "disabled_for": None, "failing_since": None, "trouble": None}
    created: dict[str, object] = {"id": OF_THE_ENVIRONMENT, "types": [], "created_at": ledger.now(), **anew}
    async with writing(ledger.engine) as connection:
        statement = ledger.insert(endpoints).values(created)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=[endpoints.c.id], set_=anew, where=endpoints.c.url != statement.excluded.url
            )
        )


async def remove_endpoint(ledger: Ledger, endpoint_id: str) -> bool:
    """Forgets one and its secrets; what became of its deliveries stays. False where there is none.

    Raises:
        LedgerError: it was not forgotten.
    """
    async with writing(ledger.engine) as connection:
        await connection.execute(delete(endpoint_secrets).where(endpoint_secrets.c.endpoint == endpoint_id))
        return (await connection.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))).rowcount > 0


async def enable(ledger: Ledger, endpoint_id: str) -> bool:
    """From now on it is sent what comes. False where there is none.

    Raises:
        LedgerError: it was not enabled.
    """
    anew = {"disabled_at": None, "disabled_for": None, "failing_since": None, "trouble": None}
    async with writing(ledger.engine) as connection:
        changed = await connection.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(anew))
        return changed.rowcount > 0


async def disable(ledger: Ledger, endpoint_id: str, why: DisabledFor, trouble: str | None = None) -> bool:
    """From now on it is not sent anything; False where there is none, or it was disabled before.

    Raises:
        LedgerError: it was not disabled.
    """
    async with writing(ledger.engine) as connection:
        return await _disable(connection, endpoint_id, why, ledger.now(), trouble)


async def add_secret(ledger: Ledger, endpoint_id: str, secret: str) -> int:
    """From now on it signs, beside those that are there; its id.

    Raises:
        LedgerError: it does not.
    """
    async with writing(ledger.engine) as connection:
        added = endpoint_secrets.insert().values(endpoint=endpoint_id, secret=secret, created_at=ledger.now())
        return int((await connection.execute(added.returning(endpoint_secrets.c.id))).scalar_one())


async def retire_secret(ledger: Ledger, endpoint_id: str, secret_id: int) -> bool:
    """Deletes it, so that it signs no more; False where there is none, or no other.

    Raises:
        LedgerError: it was not retired.
    """
    column = endpoint_secrets.c
    async with writing(ledger.engine) as connection:
        # Two who retire at once wait for each other, or no secret would be left.
        await connection.execute(select(endpoints.c.id).where(endpoints.c.id == endpoint_id).with_for_update())
        count = select(func.count()).select_from(endpoint_secrets).where(column.endpoint == endpoint_id)
        if (await connection.execute(count)).scalar_one() < 2:  # noqa: PLR2004 - this one and another
            return False
        chosen = delete(endpoint_secrets).where(column.id == secret_id, column.endpoint == endpoint_id)
        return (await connection.execute(chosen)).rowcount > 0


async def took(ledger: Ledger, delivery_id: str, attempts: int, endpoint_id: str) -> None:
    """An endpoint took a notice. That it did stands, also where it is being sent again already.

    Raises:
        LedgerError: it was not written down.
    """
    changed = {"state": DeliveryState.DELIVERED.value, "attempts": attempts, "trouble": None}
    async with writing(ledger.engine) as connection:
        await connection.execute(
            update(deliveries).where(deliveries.c.id == delivery_id).values(changed | {"updated_at": ledger.now()})
        )
        failed_before = (endpoints.c.id == endpoint_id) & endpoints.c.failing_since.is_not(None)
        await connection.execute(update(endpoints).where(failed_before).values(failing_since=None, trouble=None))


async def did_not_take(
    ledger: Ledger,
    delivery_id: str,
    sending: int,
    state: DeliveryState,
    attempts: int,
    trouble: str,
    endpoint_id: str | None,
) -> DisabledFor | None:
    """An endpoint did not take a notice; why it is disabled from now on, where it is.

    Args:
        ledger: where that is written down.
        delivery_id: of what.
        sending: of the delivery, counted from 1: what comes late of an earlier one changes nothing.
        state: `QUEUED` where it is tried again, else `GIVEN_UP`.
        attempts: how often it was tried.
        trouble: in a few words.
        endpoint_id: which endpoint; None where it was not asked, as it is disabled or removed.

    Raises:
        LedgerError: it was not written down.
    """
    now, said = ledger.now(), trouble[:_LONGEST_TROUBLE]
    this = (deliveries.c.id == delivery_id) & (deliveries.c.sending == sending)
    undecided = this & (deliveries.c.state != DeliveryState.DELIVERED.value)
    changed = {"state": state.value, "attempts": attempts, "trouble": said, "updated_at": now}
    column = endpoints.c
    async with writing(ledger.engine) as connection:
        await connection.execute(update(deliveries).where(undecided).values(changed))
        if endpoint_id is None:
            return None
        since = func.coalesce(column.failing_since, now)
        failed = update(endpoints).where(column.id == endpoint_id).values(failing_since=since, trouble=said)
        row = (await connection.execute(failed.returning(column.failing_since))).first()
        is_long = row is not None and row.failing_since <= now - LONGEST_FAILURE
        if state is not DeliveryState.GIVEN_UP or not is_long:
            return None
        is_new = await _disable(connection, endpoint_id, DisabledFor.FAILING, now, said)
        return DisabledFor.FAILING if is_new else None


async def _disable(
    connection: AsyncConnection, endpoint_id: str, why: DisabledFor, now: datetime, trouble: str | None
) -> bool:
    changed: dict[str, object] = {"disabled_at": now, "disabled_for": why.value}
    if trouble is not None:
        changed["trouble"] = trouble[:_LONGEST_TROUBLE]
    enabled = (endpoints.c.id == endpoint_id) & endpoints.c.disabled_at.is_(None)
    return (await connection.execute(update(endpoints).where(enabled).values(changed))).rowcount > 0
