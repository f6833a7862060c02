"""Everything that a running simulator is: its merchants and what they have in common, and how both are changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from pydantic import TypeAdapter

from amazon_pay_simulator.assumptions import Assumptions
from amazon_pay_simulator.books import Script
from amazon_pay_simulator.clock import Clock
from amazon_pay_simulator.config import SimulatorConfig
from amazon_pay_simulator.durations import CalendarDuration
from amazon_pay_simulator.faults import FaultPlan, Faults
from amazon_pay_simulator.journal import Journal
from amazon_pay_simulator.kept import Keeper
from amazon_pay_simulator.merchants import Merchant, MerchantAccount, Shared
from amazon_pay_simulator.refusals import Refusal
from amazon_pay_simulator.storage import SqliteStore, StorePart

LOOK_EVERY_SECONDS: Final = 1.0
"""How often the simulator looks whether something was to happen by itself."""

_AHEAD: Final = TypeAdapter(timedelta)
_FAULTS: Final = TypeAdapter(FaultPlan)
_ASSUMPTIONS: Final = TypeAdapter(Assumptions)
_MERCHANTS: Final = TypeAdapter(tuple[Merchant, ...])


class Simulation:
    """One simulated Amazon Pay.

    Args:
        config: what it is told.
        certificate_url: where the certificate of its notifications is.

    Attributes:
        asked_to_confirm: the tokens with which receivers were asked to confirm their subscription.
        confirmed: those with which one did.

    Raises:
        sqlite3.Error: the database cannot be used.
        Refusal: the merchants that are configured are in each other's way.
    """

    def __init__(self, config: SimulatorConfig, certificate_url: str) -> None:
        self.config: Final = config
        self._store: Final = SqliteStore(config.database) if config.database is not None else None
        try:
            self._keeper: Final = Keeper(StorePart(self._store, "") if self._store is not None else None)
            self.clock: Final = Clock(self._keeper.recall("clock", _AHEAD, timedelta(0)))
            self.faults: Final = Faults(self._keeper.recall("faults", _FAULTS, config.faults))
            assumed = self._keeper.recall("assumptions", _ASSUMPTIONS, config.assumptions)
            self.assumptions: Final = assumed.model_copy()
            self.journal: Final = Journal(config.journal_size)
            self.asked_to_confirm: Final[set[str]] = set()
            self.confirmed: Final[set[str]] = set()
            self._shared: Final = Shared(
                origin=config.origin,
                clock=self.clock,
                faults=self.faults,
                assumptions=self.assumptions,
                journal=self.journal,
                signer=config.signer,
                certificate_url=certificate_url,
                signature_version=config.signature_version,
                throttled_as=config.throttled_as,
                store=self._store,
            )
            self._accounts: dict[str, MerchantAccount] = {}
            self._by_key: dict[str, MerchantAccount] = {}
            self._take_in(self._keeper.recall("merchants", _MERCHANTS, config.merchants))
        except BaseException:
            self._close()
            raise

    # Merchants

    @property
    def accounts(self) -> tuple[MerchantAccount, ...]:
        """Every merchant at work."""
        return tuple(self._accounts.values())

    @property
    def first(self) -> MerchantAccount:
        """The merchant who is meant where nobody is named."""
        return next(iter(self._accounts.values()))

    def account_of(self, merchant_id: str | None) -> MerchantAccount:
        """A merchant at work; the first where none is named.

        Raises:
            Refusal: ResourceNotFound.
        """
        if merchant_id is None:
            return self.first
        if merchant_id not in self._accounts:
            raise Refusal("ResourceNotFound", f"No merchant {merchant_id}; there are {', '.join(self._accounts)}")
        return self._accounts[merchant_id]

    def signed_by(self, public_key_id: str) -> MerchantAccount:
        """Whose requests are signed under that id; the first merchant, who will refuse it, where it is nobody's."""
        return self._by_key.get(public_key_id) or self.first

    async def put_merchant(self, merchant: Merchant) -> None:
        """Adds a merchant, or gives one other keys and receivers.

        Raises:
            Refusal: InvalidParameterValue, as another merchant has one of the keys.
        """
        merchants = {account.merchant.merchant_id: account.merchant for account in self.accounts}
        _check_keys(tuple((merchants | {merchant.merchant_id: merchant}).values()))
        known = self._accounts.get(merchant.merchant_id)
        if known is not None:
            await known.become(merchant)
            self._map_keys()
        else:
            added = self._accounts[merchant.merchant_id] = MerchantAccount(merchant, self._shared, is_first=False)
            self._map_keys()
            added.sender.begin()
        self._keep_merchants()

    async def remove_merchant(self, merchant_id: str) -> None:
        """Knows a merchant no more; its books are there again when it comes back.

        Raises:
            Refusal: ResourceNotFound, or InvalidParameterValue for the first.
        """
        account = self.account_of(merchant_id)
        if account is self.first:
            raise Refusal("InvalidParameterValue", f"{merchant_id} is the first merchant, who stays; reset forgets all")
        del self._accounts[merchant_id]
        self._map_keys()
        self._keep_merchants()
        await account.sender.end()

    @property
    def charge_permission_ids(self) -> tuple[str, ...]:
        """Every charge permission of every merchant."""
        return tuple(identifier for account in self.accounts for identifier in account.account.books.permissions)

    # Time, faults and assumptions

    def set_clock(self, now: datetime) -> None:
        """Sets the clock; what was to happen until then happens.

        Raises:
            Refusal: InvalidParameterValue.
        """
        self.clock.set(now)
        self._pass_time()

    def advance_clock(self, by: CalendarDuration) -> None:
        """Moves the clock on; what was to happen until then happens.

        Raises:
            Refusal: InvalidParameterValue.
        """
        self.clock.advance(by)
        self._pass_time()

    def follow_faults(self, plan: FaultPlan) -> None:
        """What goes wrong from now on."""
        self.faults.follow(plan)
        self._keeper.keep("faults", _FAULTS, plan)

    def assume(self, assumptions: Assumptions) -> None:
        """What holds from now on where the documentation is silent."""
        self.assumptions.follow(assumptions)
        self._keeper.keep("assumptions", _ASSUMPTIONS, assumptions)

    async def reset(self) -> None:
        """Is as it was told at its start, with nothing in its books and its journal."""
        for account in self.accounts:
            await account.sender.end()
        if self._store is not None:
            self._store.clear()
        self.clock.reset()
        self.faults.follow(self.config.faults)
        self.assumptions.follow(self.config.assumptions)
        self.journal.clear()
        self.asked_to_confirm.clear()
        self.confirmed.clear()
        self._take_in(self.config.merchants)
        for account in self.accounts:
            account.sender.begin()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers notifications and lets time pass while the context is open; closes the database afterwards."""
        for account in self.accounts:
            account.sender.begin()
        passing = asyncio.create_task(self._pass_for_ever())
        try:
            yield
        finally:
            passing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await passing
            for account in self.accounts:
                await account.sender.end()
            self._close()

    async def _pass_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            for account in self.accounts:
                account.account.pass_time(self.clock.now())

    def _pass_time(self) -> None:
        self._keeper.keep("clock", _AHEAD, self.clock.ahead)
        for account in self.accounts:
            account.account.pass_time(self.clock.now())

    def _take_in(self, merchants: tuple[Merchant, ...]) -> None:
        _check_keys(merchants)
        self._accounts = {
            merchant.merchant_id: MerchantAccount(merchant, self._shared, is_first=number == 0)
            for number, merchant in enumerate(merchants)
        }
        self._map_keys()
        if not any(account.account.books.permissions for account in self.accounts):
            self._open_permissions()

    def _open_permissions(self) -> None:
        for wanted in self.config.charge_permissions:
            account = self.account_of(wanted.merchant_id).account
            opened = account.permissions.open(wanted.currency, self.clock.now())
            if wanted.script:
                account.books.scripts[opened.charge_permission_id] = Script(answers=wanted.script)

    def _map_keys(self) -> None:
        self._by_key = {key_id: account for account in self.accounts for key_id in account.merchant.public_keys}

    def _keep_merchants(self) -> None:
        self._keeper.keep("merchants", _MERCHANTS, tuple(account.merchant for account in self.accounts))

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()


def _check_keys(merchants: tuple[Merchant, ...]) -> None:
    """Each merchant and each key once.

    Raises:
        Refusal: InvalidParameterValue.
    """
    owners: dict[str, str] = {}
    names: set[str] = set()
    for merchant in merchants:
        if merchant.merchant_id in names:
            raise Refusal("InvalidParameterValue", f"merchant_id: there is {merchant.merchant_id} already")
        names.add(merchant.merchant_id)
        for key_id in merchant.public_keys:
            if key_id in owners:
                raise Refusal("InvalidParameterValue", f"public_keys: {key_id} is {owners[key_id]}'s already")
            owners[key_id] = merchant.merchant_id
